/** `npm run <command>`: each command is a file of its own, loaded only when it is asked for. */
type Command = (args: string[]) => Promise<number>;

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./demo/command.ts')).demoCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  package: async () => (await import('./commands/package.ts')).packageCommand,
  pipeline: async () => (await import('./agent/cli.ts')).pipelineCommand,
  services: async () => (await import('./services/cli.ts')).servicesCommand,
};

const [name = '', ...args] = process.argv.slice(2);
const load = commands[name];
if (load === undefined) {
  console.error(`Unknown command '${name}'. There are: ${Object.keys(commands).join(', ')}.`);
  process.exit(2);
}
try {
  const run = await load();
  process.exitCode = await run(args);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (process.env['DEBUG'] !== undefined) console.error(error);
  process.exitCode = 1;
}
