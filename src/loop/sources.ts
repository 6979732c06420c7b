/**
 * The descriptors that a loop watches: those of its channels, and others, which have work to do when
 * they become readable.
 *
 * @module
 */
import { POLLERR, POLLHUP, POLLIN, PollSet } from "../sys/poll.ts";
import type { Channel } from "./channel.ts";

/** A descriptor other than a channel's that the loop watches. */
export interface Source {
  readonly fd: number;
  onReadable(): void;
}

export class Sources {
  readonly #sources: Source[] = [];
  readonly #poll = new PollSet();

  add(source: Source): void {
    this.#sources.push(source);
  }

  remove(fd: number): void {
    const at = this.#sources.findIndex((source) => source.fd === fd);
    if (at >= 0) this.#sources.splice(at, 1);
  }

  /**
   * Waits until something happens on a channel or a source. Channels on which something has are to be
   * served; sources do their work here.
   *
   * @param timeoutMs -1 for as long as it takes
   */
  wait(channels: readonly Channel[], timeoutMs: number): void {
    const poll = this.#poll;
    poll.clear();
    for (const source of this.#sources) poll.add(source.fd, POLLIN);
    for (const channel of channels) {
      poll.add(channel.events === 0 ? PollSet.NOTHING : channel.fd, channel.events);
    }
    if (poll.wait(timeoutMs) <= 0) return;
    channels.forEach((channel, index) => {
      if (poll.events(this.#sources.length + index) !== 0) channel.idleTurns = 0;
    });
    // Working on one source may add or remove others.
    const readable = this.#sources.filter((_, place) =>
      (poll.events(place) & (POLLIN | POLLHUP | POLLERR)) !== 0
    );
    for (const source of readable) source.onReadable();
  }
}
