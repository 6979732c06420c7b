/**
 * Text with a little markup, as requests and escapes of man(7).
 *
 * In running text, what is in backticks is typed as it stands (bold), and a word in angle brackets
 * stands for something (italic, without the brackets), as in the help text.
 *
 * @module
 */

const LINE_LENGTH = 78;

/** `text` for running text of a man page. */
export function roff(text: string): string {
  const marked = text.split(/(`[^`]+`|<[\w|.-]+>)/).map((part) => {
    if (part.startsWith("`")) return `\\fB${literal(part.slice(1, -1))}\\fR`;
    if (/^<[\w|.-]+>$/.test(part)) return `\\fI${literal(part.slice(1, -1))}\\fR`;
    return escaped(part);
  });
  return protectedLines(filled(marked.join("")));
}

/** A command line or file name: its hyphens are to be copied as such. */
export function literal(text: string): string {
  return escaped(text).replaceAll("-", "\\-");
}

/** Lines to be shown as they are. */
export function example(lines: readonly string[]): string {
  return `.RS 4\n.nf\n${protectedLines(lines.map(literal).join("\n"))}\n.fi\n.RE`;
}

/** A term with its explanation; both are roff already. */
export function tagged(term: string, text: string): string {
  return `.TP\n${term}\n${text}`;
}

export function heading(title: string): string {
  return `.SH ${/\s/.test(title) ? `"${title}"` : title}`;
}

/** In lines of at most {@link LINE_LENGTH}, as far as there are spaces to break them at. */
function filled(text: string): string {
  const words = text.trim().split(" ");
  return words.reduce((lines, word) => {
    const length = lines.length - lines.lastIndexOf("\n") - 1;
    return lines + (length + 1 + word.length <= LINE_LENGTH ? " " : "\n") + word;
  });
}

/** `.` and `'` at the start of a line would be requests. */
function protectedLines(text: string): string {
  return text.replace(/^(?=[.'])/gm, "\\&");
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("~", "\\(ti").replaceAll("^", "\\(ha")
    .replaceAll("'", "\\(aq");
}
