import { Command } from "commander";

/** What a script's command line says. A wrong one ends the process with status 2 and a line that names the value and what was expected. */
export function parseCommand<Options extends object>(
  name: string,
  describe: (command: Command) => Command,
): { readonly options: Options; readonly args: readonly string[] } {
  const command = describe(new Command(name))
    .allowExcessArguments(false)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse();
  return { options: command.opts<Options>(), args: command.args };
}
