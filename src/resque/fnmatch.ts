const nothing = (): boolean => false;

/**
 * Ruby's `File.fnmatch` without flags, by which Ruby Resque selects queues: `*` also crosses `/`, a leading dot is matched by
 * no wildcard, braces are ordinary characters, a backslash escapes.
 *
 * @see https://docs.ruby-lang.org/en/3.4/File.html#method-c-fnmatch
 */
export function compileFnmatch(pattern: string): (name: string) => boolean {
  /** What stands between the stars. */
  const parts: string[] = [];
  let source = "";
  let isOpenSet = false;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    const set = char === "[" ? /^\[([!^]?)((?:\\.|[^\]\\])+)\]/s.exec(pattern.slice(at)) : null;
    if (set) {
      source += `[${set[1] ? "^" : ""}${(set[2] as string).replace(/\\(.)/gs, "$1").replace(/[\\\]^[]/g, "\\$&")}]`;
      at += set[0].length - 1;
    } else if (char === "[") isOpenSet = true;
    else if (char === "*") {
      parts.push(source);
      source = "";
    } else if (char === "?") source += ".";
    else {
      if (char === "\\" && at + 1 < pattern.length) at++;
      source += (pattern[at] as string).replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  parts.push(source);
  const matches = isOpenSet ? nothing : compile(parts);
  const takesDot = pattern.startsWith(".") || pattern.startsWith("\\.");
  return (name) => (takesDot || !name.startsWith(".")) && matches(name);
}

/**
 * Each part where it fits first, which is as good as anywhere: one expression for all of them would try every place for each star, and names may be long.
 * A set such as `[z-a]` matches nothing in Ruby, and is an error here.
 */
function compile(parts: readonly string[]): (name: string) => boolean {
  try {
    const last = parts.length - 1;
    const regexes = parts.map((part, i) => new RegExp(`${i === 0 ? "^" : ""}${part}${i === last ? "$" : ""}`, "gsu"));
    return (name) => {
      let at = 0;
      return regexes.every((regex) => {
        regex.lastIndex = at;
        const isThere = regex.test(name);
        at = regex.lastIndex;
        return isThere;
      });
    };
  } catch {
    return nothing;
  }
}
