/**
 * The rounds in which what has been changed of an image becomes durable: what is written about it goes
 * to the disk level by level, and each level is there before the next one is written.
 *
 *     data, counts ── sync ── tables of counts ── sync ── tables ── sync
 *
 * A level with nothing to write needs no sync. Of what is written already, one sync is all that is needed. What is changed while a round is under way is for the
 * next one. After a write that was lost no round is made any more, as what it writes may refer to that.
 *
 * @module
 */
import { type Level, LEVELS, Updates } from "../image/updates.ts";
import type { Writing } from "../image/writing.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { ChangeJournal } from "./change_journal.ts";
import type { RoundOutcome, Scope, SyncRound } from "./sync_round.ts";

const NOTHING: readonly ImageFile[] = [];

export class UpdateRound implements SyncRound {
  readonly #writing: Writing;
  readonly #journal: ChangeJournal | undefined;
  readonly #updates = new Updates();
  /** The level that is written next. */
  #level = 0;
  #scope: Scope = "everything";

  /** @param journal forgets what has become durable */
  constructor(writing: Writing, journal?: ChangeJournal) {
    this.#writing = writing;
    this.#journal = journal;
  }

  /** What is written to places that are known without tables depends on nothing. */
  get isOver(): boolean {
    const { tables, files } = this.#writing;
    return tables !== undefined && files.some((file) => file.hasLost);
  }

  begin(scope: Scope): void {
    this.#level = 0;
    this.#scope = scope;
    if (scope !== "everything") return;
    const { tables } = this.#writing;
    tables?.takeUpdates(this.#updates);
    this.#journal?.begin(tables?.hasUpdates !== true);
  }

  next(): readonly ImageFile[] {
    const { tables, files } = this.#writing;
    if (tables === undefined) return this.#level++ === 0 ? files : NOTHING;
    if (this.#scope === "what is written") {
      return this.#level++ === 0 ? files.filter((file) => file.takeUnsynced()) : NOTHING;
    }
    while (this.#level < LEVELS) {
      if (this.#level > 0) tables.reached(this.#level - 1 as Level);
      this.#updates.write(this.#level++ as Level);
      // Before the sync begins: what is written meanwhile may not be a part of it.
      const unsynced = files.filter((file) => file.takeUnsynced());
      if (unsynced.length > 0) return unsynced;
    }
    return NOTHING;
  }

  end(outcome: RoundOutcome): void {
    if (outcome === "lost") this.#journal?.setLost();
    if (this.#scope === "everything") {
      if (outcome === "durable") this.#journal?.end();
      this.#writing.tables?.updated(outcome === "durable");
    }
    this.#updates.clear();
  }
}
