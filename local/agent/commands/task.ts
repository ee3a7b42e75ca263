import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { minimatch } from 'minimatch';
import type { TaskResult } from '../results.ts';
import type { LoggingCommand } from './parse.ts';
import type { CommandTarget } from './target.ts';

/** Throws when the command cannot be followed: that fails the step. */
export type CommandHandler = (command: LoggingCommand, target: CommandTarget) => void;

const results: readonly TaskResult[] = ['Succeeded', 'SucceededWithIssues', 'Failed', 'Canceled', 'Skipped'];

function flag(command: LoggingCommand, name: string): boolean {
  return command.properties.get(name)?.toLowerCase() === 'true';
}

export function needed(command: LoggingCommand, name: string, what: string): string {
  const value = command.properties.get(name);
  if (value === undefined || value === '') throw new Error(`The command needs ${what} ('${name}').`);
  return value;
}

function mayNotSet(name: string, target: CommandTarget): boolean {
  const allowed = target.restrictions?.settableVariables?.allowed;
  if (allowed === undefined || allowed.some((pattern) => minimatch(name, pattern, { nocase: true })))
    return false;
  target.issue(
    'warning',
    `Variable '${name}' may not be set: task.json does not list it in settableVariables.`,
  );
  return true;
}

function setVariable(command: LoggingCommand, target: CommandTarget): void {
  const name = needed(command, 'variable', "the variable's name");
  const secret = flag(command, 'issecret');
  if (target.variables.isReadOnly(name))
    target.issue(
      'warning',
      `Variable '${name}' is read-only; the agent only warns of it, and overwrites it.`,
    );
  if (secret && command.data.includes('\n'))
    throw new Error(
      'Secrets of several lines cannot be set as a variable: register each line with setsecret.',
    );
  if (secret) target.masker.add(command.data);
  if (mayNotSet(name, target)) return;
  const isOutput = flag(command, 'isoutput') || target.declaredOutputs.has(name.toLowerCase());
  const readOnly = isOutput || flag(command, 'isreadonly');
  if (isOutput) target.output(name, command.data, secret);
  const fullName = isOutput ? `${target.stepName}.${name}` : name;
  target.variables.set(fullName, command.data, { secret, readOnly });
}

function logIssue(command: LoggingCommand, target: CommandTarget): void {
  const type = command.properties.get('type')?.toLowerCase();
  if (type === undefined) {
    target.issue('warning', "Can't create TaskIssue from logging event.");
    return;
  }
  if (type !== 'warning' && type !== 'error') throw new Error(`'${type}' is not a type of issue.`);
  const { properties, data } = command;
  const place = [properties.get('sourcepath'), properties.get('linenumber'), properties.get('columnnumber')];
  const where = place.filter((part) => part !== undefined).join(':');
  target.issue(type, where === '' ? data : `${where}: ${data}`);
}

function complete(command: LoggingCommand, target: CommandTarget): void {
  const text = command.properties.get('result');
  const result = results.find((known) => known === text);
  if (result === undefined) throw new Error(`'${text ?? ''}' is not a result: ${results.join(', ')}.`);
  target.complete(result);
}

function setProgress(command: LoggingCommand, target: CommandTarget): void {
  const value = Number.parseInt(command.properties.get('value') ?? '', 10);
  target.progress(Number.isNaN(value) ? 0 : Math.min(100, Math.max(0, value)), command.data);
}

function fileOf(command: LoggingCommand, target: CommandTarget): string {
  const file = resolve(target.folder, command.data);
  if (command.data !== '' && existsSync(file) && statSync(file).isFile()) return file;
  throw new Error(`There is no file '${command.data}' to attach.`);
}

function addAttachment(command: LoggingCommand, target: CommandTarget): void {
  const type = needed(command, 'type', "the attachment's type");
  const name = needed(command, 'name', "the attachment's name");
  if (/[/\\\0]/.test(type + name)) throw new Error(`'${type}' and '${name}' must be plain names.`);
  target.attach(type, name, fileOf(command, target));
}

function attachAs(type: string): CommandHandler {
  return (command, target) => {
    const file = fileOf(command, target);
    target.attach(type, basename(file), file);
  };
}

function prependPath(command: LoggingCommand, target: CommandTarget): void {
  if (command.data === '') throw new Error('The command needs a folder.');
  if (!mayNotSet('PATH', target)) target.prependPath(command.data);
}

function setTaskVariable(command: LoggingCommand, target: CommandTarget): void {
  const name = needed(command, 'variable', "the variable's name");
  if (flag(command, 'issecret')) target.masker.add(command.data);
  target.taskVariable(name, command.data);
}

/** Type of the attachment that `task.uploadsummary` makes, as the service names it. */
export const summaryType = 'Distributedtask.Core.Summary';

/** Commands of the area `task`. Source: azure-pipelines-agent, TaskCommandExtension. */
export const taskCommands: Readonly<Record<string, CommandHandler>> = {
  setvariable: setVariable,
  logissue: logIssue,
  issue: logIssue,
  setprogress: setProgress,
  complete,
  debug: (command, target) => target.debug(command.data),
  setsecret: (command, target) => target.masker.add(command.data),
  settaskvariable: setTaskVariable,
  addattachment: addAttachment,
  uploadsummary: attachAs(summaryType),
  uploadfile: attachAs('Distributedtask.Core.FileAttachment'),
  prependpath: prependPath,
  logdetail: () => undefined,
};

/** Those that a task in restricted mode may use. */
export const unrestricted: ReadonlySet<string> = new Set([
  'setvariable',
  'logissue',
  'issue',
  'setprogress',
  'complete',
  'debug',
  'setsecret',
  'settaskvariable',
  'prependpath',
  'logdetail',
]);
