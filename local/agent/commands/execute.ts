import { resolve } from 'node:path';
import { type LoggingCommand, parseCommand } from './parse.ts';
import type { CommandTarget } from './target.ts';
import { type CommandHandler, needed, taskCommands, unrestricted } from './task.ts';

function uploadArtifact(command: LoggingCommand, target: CommandTarget): void {
  const name = needed(command, 'artifactname', "the artifact's name");
  if (command.data === '') throw new Error('The command needs a path to upload.');
  target.publishArtifact(name, resolve(target.folder, command.data));
}

function associateArtifact(command: LoggingCommand, target: CommandTarget): void {
  const name = needed(command, 'artifactname', "the artifact's name");
  target.debug(`Associated artifact ${name}: ${command.data}`);
}

function updateBuildNumber(command: LoggingCommand, target: CommandTarget): void {
  if (command.data === '') throw new Error('The command needs a build number.');
  target.buildNumber(command.data);
}

function addTag(command: LoggingCommand, target: CommandTarget): void {
  if (command.data === '') throw new Error('The command needs a tag.');
  target.tag(command.data);
}

function publishResults(command: LoggingCommand, target: CommandTarget): void {
  const type = needed(command, 'type', 'the format of the results');
  if (type.toLowerCase() !== 'junit') throw new Error(`Results of type '${type}' are not read: only JUnit.`);
  const files = needed(command, 'resultfiles', 'the result files').split(',');
  target.publishTests(files.map((file) => resolve(target.folder, file.trim())));
}

const areas: Readonly<Record<string, Readonly<Record<string, CommandHandler>>>> = {
  task: taskCommands,
  artifact: { upload: uploadArtifact, associate: associateArtifact },
  build: { addbuildtag: addTag, updatebuildnumber: updateBuildNumber },
  results: { publish: publishResults },
  telemetry: { publish: () => undefined },
};

function run(command: LoggingCommand, target: CommandTarget): void {
  const handler = areas[command.area]?.[command.event];
  if (handler === undefined) throw new Error(`There is no command ${command.area}.${command.event}.`);
  const restricted = target.restrictions?.commands?.mode?.toLowerCase() === 'restricted';
  if (restricted && !(command.area === 'task' && unrestricted.has(command.event)))
    target.issue(
      'warning',
      `Command ${command.area}.${command.event} is not allowed: task.json restricts commands.`,
    );
  else handler(command, target);
}

/**
 * Follows the logging command in a line of output, if there is one: true when the line is a command and not text.
 * As the agent does, an unknown area is a warning, and a command that cannot be followed fails the step.
 */
export function followCommand(line: string, target: CommandTarget): boolean {
  const command = parseCommand(line);
  if (command === undefined) {
    if (line.includes('##vso'))
      target.issue('warning', `'${line}' contains ##vso but is not a well-formed logging command.`);
    return false;
  }
  if (areas[command.area] === undefined) {
    target.issue('warning', `Can't find command extension for ##vso[${command.area}.command].`);
    return true;
  }
  try {
    run(command, target);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    target.issue('error', `Unable to process command '${line}' successfully. ${reason}`);
    target.complete('Failed');
  }
  return true;
}
