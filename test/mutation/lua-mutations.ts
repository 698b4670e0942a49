import { createRequire } from "node:module";

/** What is changed in a Lua text, and how. */
export interface Mutation {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
  /** Where the innermost block begins that it is in; undefined outside of all. */
  readonly block: number | undefined;
}

/** A node of luaparse, whose package is installed apart. */
interface Node {
  readonly type: string;
  readonly range: readonly [number, number];
  readonly [member: string]: unknown;
}

const COMPARISONS: Readonly<Record<string, readonly string[]>> = {
  "==": ["~="],
  "~=": ["=="],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
};
const ARITHMETIC: Readonly<Record<string, string>> = { "+": "-", "-": "+", "*": "/", "/": "*", "%": "+" };
/** Commands and functions that do the same at the other end, or the other way. */
const OPPOSITES: readonly (readonly [string, string])[] = [
  ["LPUSH", "RPUSH"],
  ["LPOP", "RPOP"],
  ["LEFT", "RIGHT"],
  ["INCRBY", "DECRBY"],
];
const FUNCTIONS: Readonly<Record<string, string>> = {
  "math.max": "math.min",
  "math.min": "math.max",
  "math.ceil": "math.floor",
  "math.floor": "math.ceil",
  "redis.call": "redis.pcall",
  "redis.pcall": "redis.call",
};

/** All changes of a text that this knows: a comparison, an operator, a condition, a number, a call left out, a command's opposite. */
export function mutationsOf(text: string): readonly Mutation[] {
  const found: Mutation[] = [];
  walk(text, (node, parent, block) => {
    for (const change of changesOf(node, text, parent)) found.push({ ...change, block });
  });
  return found.filter(({ from, to, replacement }) => replacement !== text.slice(from, to));
}

/** The text, telling the server's log of each block that it comes to, under the name that `nameOf` gives it. */
export function coveringText(text: string, nameOf: (block: number) => string): string {
  const blocks = new Set<number>();
  walk(text, (_node, _parent, block) => {
    if (block !== undefined) blocks.add(block);
  });
  let covering = text;
  for (const block of [...blocks].sort((a, b) => b - a)) {
    covering = `${covering.slice(0, block)}redis.log(redis.LOG_WARNING,'${nameOf(block)}') ${covering.slice(block)}`;
  }
  return covering;
}

type Visit = (node: Node, parent: Node | undefined, block: number | undefined) => void;

function walk(text: string, visit: Visit): void {
  const { parse } = createRequire(import.meta.url)("luaparse") as {
    parse(text: string, options: { readonly ranges: true; readonly encodingMode: "pseudo-latin1" }): Node;
  };
  const go = (value: unknown, parent: Node | undefined, block: number | undefined): void => {
    if (Array.isArray(value)) for (const item of value) go(item, parent, block);
    if (!isNode(value)) return;
    visit(value, parent, block);
    for (const [name, member] of Object.entries(value)) {
      if (name === "range") continue;
      const first = name === "body" && value.type !== "Chunk" && Array.isArray(member) ? member[0] : undefined;
      go(member, value, isNode(first) ? first.range[0] : block);
    }
  };
  go(parse(text, { ranges: true, encodingMode: "pseudo-latin1" }), undefined, undefined);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "range" in value;
}

function changesOf(node: Node, text: string, parent: Node | undefined): readonly Omit<Mutation, "block">[] {
  const at = (part: Node): string => text.slice(...part.range);
  const change = (kind: string, part: Node, replacement: string): Omit<Mutation, "block"> => {
    const [from, to] = part.range;
    return { kind, from, to, replacement };
  };
  switch (node.type) {
    case "BinaryExpression":
    case "LogicalExpression": {
      const { operator, left, right } = node as Node & { operator: string; left: Node; right: Node };
      const others =
        node.type === "LogicalExpression"
          ? [operator === "and" ? "or" : "and"]
          : (COMPARISONS[operator] ?? [ARITHMETIC[operator]].filter((other) => other !== undefined));
      // What is between the operands is the operator, and parentheses.
      const [from, to] = [left.range[1], right.range[0]];
      const between = text.slice(from, to);
      return others.map((other) => ({ kind: "operator", from, to, replacement: between.replace(operator, other) }));
    }
    case "UnaryExpression": {
      const { operator, argument } = node as Node & { operator: string; argument: Node };
      return operator === "not" || operator === "-" ? [change("operator", node, `(${at(argument)})`)] : [];
    }
    case "IfClause":
    case "ElseifClause": {
      const { condition } = node as Node & { condition: Node };
      return [change("condition", condition, "true"), change("condition", condition, "false")];
    }
    case "WhileStatement":
      return [change("condition", (node as Node & { condition: Node }).condition, "false")];
    case "CallStatement":
      return [change("left out", node, "local _")];
    case "AssignmentStatement":
      return [change("left out", node, "local _")];
    case "ReturnStatement": {
      const { arguments: returned } = node as Node & { arguments: readonly Node[] };
      const [first] = returned;
      return first && parent?.type !== "Chunk"
        ? [change("returned", first, first.type === "NilLiteral" ? "true" : "nil")]
        : [];
    }
    case "NumericLiteral": {
      const value = Number(at(node));
      return [change("number", node, String(value === 1 ? 0 : value + 1))];
    }
    case "BooleanLiteral":
      return [change("boolean", node, at(node) === "true" ? "false" : "true")];
    case "StringLiteral": {
      const name = at(node).slice(1, -1);
      const pair = OPPOSITES.find((names) => names.includes(name));
      return pair ? [change("command", node, `'${pair[0] === name ? pair[1] : pair[0]}'`)] : [];
    }
    case "MemberExpression": {
      const other = FUNCTIONS[at(node)];
      return other ? [change("function", node, other)] : [];
    }
    default:
      return [];
  }
}
