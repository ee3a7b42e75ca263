import { taskNames } from '../layout.ts';
import { fileProblems } from './files.ts';
import { inputsProblems } from './inputs.ts';
import { outputsProblems } from './outputs.ts';
import { recordedProblems } from './recorded.ts';
import { schemaProblems } from './schema.ts';

/** Everything that tfx does not check and an agent would stumble over. Throws with the whole list. */
export async function checkContracts(): Promise<void> {
  const inputs = await Promise.all(taskNames.map(inputsProblems));
  const problems = [
    ...taskNames.flatMap((name) => schemaProblems(name)),
    ...inputs.flat(),
    ...taskNames.flatMap(outputsProblems),
    ...recordedProblems(),
    ...fileProblems(),
  ];
  if (problems.length > 0) throw new Error(`The extension breaks its contracts:\n- ${problems.join('\n- ')}`);
}
