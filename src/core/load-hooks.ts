import type { HookOwner, Hooks, HooksOptions } from "./hooks.ts";

/** The hooks that concern an app, or the jobs of one class that it may not know; undefined if there are none. */
export type LoadHooks = (of?: HookOwner) => Promise<Hooks> | undefined;

/** What calls hooks is loaded with the first one that there is to call: most apps have none. */
export function createHookLoader(options: HooksOptions, classes: readonly HookOwner[]): LoadHooks {
  const isNeeded = options.app !== undefined || classes.some(({ hooks, retry }) => hooks || retry?.onExhausted);
  let loading: Promise<Hooks> | undefined;
  return (of) => {
    if (!isNeeded && !of?.hooks) return undefined;
    loading ??= import("./call-hooks.ts").then(({ createHooks }) => createHooks(options));
    return loading;
  };
}
