const NOTHING = /(?!)/;

/**
 * Ruby's `File.fnmatch` without flags, by which Ruby Resque selects queues: `*` also crosses `/`, a leading dot is matched by
 * no wildcard, braces are ordinary characters, a backslash escapes.
 *
 * @see https://docs.ruby-lang.org/en/3.4/File.html#method-c-fnmatch
 */
export function compileFnmatch(pattern: string): (name: string) => boolean {
  let source = "";
  let isOpenSet = false;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    const set = char === "[" ? /^\[([!^]?)((?:\\.|[^\]\\])+)\]/s.exec(pattern.slice(at)) : null;
    if (set) {
      source += `[${set[1] ? "^" : ""}${(set[2] as string).replace(/\\(.)/gs, "$1").replace(/[\\\]^[]/g, "\\$&")}]`;
      at += set[0].length - 1;
    } else if (char === "[") isOpenSet = true;
    else if (char === "*") source += ".*";
    else if (char === "?") source += ".";
    else {
      if (char === "\\" && at + 1 < pattern.length) at++;
      source += (pattern[at] as string).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  const regex = isOpenSet ? NOTHING : compile(source);
  const takesDot = pattern.startsWith(".") || pattern.startsWith("\\.");
  return (name) => regex.test(name) && (takesDot || !name.startsWith("."));
}

/** A set such as `[z-a]` matches nothing in Ruby, and is an error here. */
function compile(source: string): RegExp {
  try {
    return new RegExp(`^${source}$`, "su");
  } catch {
    return NOTHING;
  }
}
