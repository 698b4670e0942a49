import { isScriptCall, type LuaScript, type RedisCommand, type ScriptCall } from "../resque/client.ts";

/**
 * First line of a script for Upstash: without it, a script locks the whole database there. Redis refuses it.
 *
 * @see https://upstash.com/docs/redis/troubleshooting/command_count_increases_unexpectedly
 */
export const KEY_LOCKING_HEADER = "#!lua flags=allow-key-locking\n";

/** A script in the form that a server wants: as it is, or under the key-locking header. */
export interface ScriptForm {
  source(script: LuaScript): string;
  sha1(script: LuaScript): string;
}

export const PLAIN_FORM: ScriptForm = {
  source: (script) => script.source,
  sha1: (script) => script.sha1,
};

export const KEY_LOCKING_FORM: ScriptForm = {
  source: (script) => KEY_LOCKING_HEADER + script.source,
  sha1: (script) => script.keyLockingSha1,
};

export function evalshaCommand(call: ScriptCall, form: ScriptForm): (string | number)[] {
  return ["EVALSHA", form.sha1(call.script), call.keys.length, ...call.keys, ...call.args];
}

export function evalCommand(call: ScriptCall, form: ScriptForm): (string | number)[] {
  return ["EVAL", form.source(call.script), call.keys.length, ...call.keys, ...call.args];
}

/** A pipeline's items as commands. */
export function toCommands(items: readonly (RedisCommand | ScriptCall)[], form: ScriptForm): RedisCommand[] {
  return items.map((item) => {
    if (!isScriptCall(item)) return item;
    return item.inFull ? evalCommand(item, form) : evalshaCommand(item, form);
  });
}

/** The script calls among a pipeline's items that the server did not know, and so did not run. */
export function unknownScripts(
  items: readonly (RedisCommand | ScriptCall)[],
  isUnknown: (index: number) => boolean,
): { readonly index: number; readonly call: ScriptCall }[] {
  return items.flatMap((item, index) => (isScriptCall(item) && isUnknown(index) ? [{ index, call: item }] : []));
}
