/**
 * The man page tslosetup(8), made of the option table, the columns, the formats and the prose.
 *
 * @module
 */
import { AUTO_FORMAT, AUTO_SUMMARY } from "../../image/formats.ts";
import { TRANSPORTS } from "../../device/transports.ts";
import { FORMATS } from "../../image/formats.ts";
import { LIST_COLUMNS } from "../listing/columns.ts";
import { OPTION_GROUPS, type OptionRow } from "../words/option_table.ts";
import { RELEASE_DATE, VERSION } from "../version.ts";
import * as texts from "./man_texts.ts";
import { OPTION_TEXTS } from "./option_texts.ts";
import { MOUNTING, SYSTEMD, TABLE } from "./systemd_texts.ts";
import { example, heading, literal, roff, tagged } from "./roff.ts";

/** The whole page, for man(7). */
export function manPage(): string {
  const title = `.TH TSLOSETUP 8 ${RELEASE_DATE} "tslosetup ${VERSION}" "System Administration"`;
  const sections = [
    ['.\\" Made by tslosetup from its option table.', title, ".nh", ".ad l"],
    ["NAME", "tslosetup \\- set up and control loop devices for disk images of any format"],
    ["SYNOPSIS", ...lines(texts.SYNOPSIS)],
    ["DESCRIPTION", paragraphs(texts.DESCRIPTION)],
    ["OPTIONS", roff(texts.SIZES), ...optionGroups()],
    ["FORMATS", roff(texts.FORMATS_TEXT), ...formatTerms()],
    ["TRANSPORTS", roff(texts.TRANSPORTS_TEXT), ...transportTerms()],
    ["COLUMNS", roff(texts.COLUMNS_TEXT), ...columnTerms()],
    ["MOUNTING IMAGES", paragraphs(MOUNTING)],
    ["TABLE OF IMAGES", paragraphs(TABLE)],
    ["SYSTEMD", paragraphs(SYSTEMD)],
    ["EXIT STATUS", ...terms(texts.EXIT_STATUS)],
    ["ENVIRONMENT", ...terms(texts.ENVIRONMENT)],
    ["FILES", ...terms(texts.FILES)],
    ["EXAMPLES", ...texts.EXAMPLES.map(exampleParagraph)],
    ["NOTES", paragraphs(texts.NOTES)],
    ["SEE ALSO", roff(texts.SEE_ALSO)],
  ];
  return sections.map(([first = "", ...rest], index) =>
    [index === 0 ? first : heading(first), ...rest].join("\n")
  ).join("\n") + "\n";
}

function paragraphs(list: readonly string[]): string {
  return list.map(roff).join("\n.PP\n");
}

/** Each on a line of its own. */
function lines(list: readonly string[]): string[] {
  return list.map((line, index) => `${index === 0 ? "" : ".br\n"}${roff(line)}`);
}

function optionGroups(): string[] {
  const titles: Readonly<Record<string, string>> = texts.GROUP_TITLES;
  return Object.entries(OPTION_GROUPS).map(([group, options]) =>
    [`.SS ${titles[group]}`, ...options.map(optionTerm)].join("\n")
  );
}

function optionTerm(option: OptionRow): string {
  const known: Readonly<Record<string, readonly string[] | undefined>> = OPTION_TEXTS;
  const [name] = option.long;
  const text = known[name] ?? [`${option.help[0]?.toUpperCase()}${option.help.slice(1)}.`];
  return tagged(optionNames(option), text.map(roff).join("\n.IP\n"));
}

/** `\fB\-t\fR, \fB\-\-file\-fmt\-type\fR \fIformat\fR`. */
function optionNames({ short, long, label }: OptionRow): string {
  const names = [...(short === "" ? [] : [`-${short}`]), ...long.map((name) => `--${name}`)];
  return names.map((name) => `\\fB${literal(name)}\\fR`).join(", ") +
    (label.startsWith(" ") ? " " : "") + roff(label);
}

function formatTerms(): string[] {
  const known = FORMATS.map(({ name, aliases, writable, summary }) =>
    tagged(
      [name, ...aliases].map((word) => `\\fB${literal(word)}\\fR`).join(", "),
      roff(`${summary}; ${writable ? "for reading and writing" : "for reading"}`),
    )
  );
  return [...known, tagged(`\\fB${AUTO_FORMAT}\\fR`, roff(AUTO_SUMMARY))];
}

function transportTerms(): string[] {
  return TRANSPORTS.map((name) => tagged(`\\fB${name}\\fR`, roff(texts.TRANSPORT_TEXTS[name])));
}

function columnTerms(): string[] {
  return LIST_COLUMNS.map(({ heading, help }) => tagged(`\\fB${literal(heading)}\\fR`, roff(help)));
}

function terms(list: readonly (readonly [string, string])[]): string[] {
  return list.map(([term, text]) => tagged(roff(term), roff(text)));
}

function exampleParagraph({ text, lines }: texts.Example, index: number): string {
  return `${index === 0 ? "" : ".PP\n"}${roff(text)}\n.PP\n${example(lines)}`;
}
