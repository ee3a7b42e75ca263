import { taskNames } from '../layout.ts';
import { bindingProblems } from './bindings.ts';
import { fileProblems } from './files.ts';
import { inputsProblems } from './inputs.ts';
import { outputsProblems } from './outputs.ts';
import { recordedProblems } from './recorded.ts';
import { schemaProblems } from './schema.ts';

/** Where task.json, the code and what was promised disagree. */
export async function declarationProblems(): Promise<string[]> {
  const inputs = await Promise.all(taskNames.map(inputsProblems));
  return [
    ...taskNames.flatMap((name) => schemaProblems(name)),
    ...inputs.flat(),
    ...taskNames.flatMap(bindingProblems),
    ...taskNames.flatMap(outputsProblems),
    ...recordedProblems(),
  ];
}

/** Everything that tfx does not check and an agent would stumble over. Throws with the whole list. */
export async function checkContracts(): Promise<void> {
  const problems = [...(await declarationProblems()), ...fileProblems()];
  if (problems.length > 0) throw new Error(`The extension breaks its contracts:\n- ${problems.join('\n- ')}`);
}
