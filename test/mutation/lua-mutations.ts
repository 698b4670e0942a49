import { createRequire } from "node:module";

/** What is changed in a Lua text, and how. */
export interface Mutation {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
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
  const { parse } = createRequire(import.meta.url)("luaparse") as {
    parse(text: string, options: { readonly ranges: true; readonly encodingMode: "pseudo-latin1" }): Node;
  };
  const found: Mutation[] = [];
  const visit = (value: unknown, parent?: Node): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, parent);
    if (!isNode(value)) return;
    found.push(...changesOf(value, text, parent));
    for (const [name, member] of Object.entries(value)) if (name !== "range") visit(member, value);
  };
  visit(parse(text, { ranges: true, encodingMode: "pseudo-latin1" }));
  return found.filter(({ from, to, replacement }) => replacement !== text.slice(from, to));
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "range" in value;
}

function changesOf(node: Node, text: string, parent: Node | undefined): readonly Mutation[] {
  const at = (part: Node): string => text.slice(...part.range);
  const change = (kind: string, part: Node, replacement: string): Mutation => {
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
