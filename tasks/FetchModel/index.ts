import { runTask } from '../../src/host/azure.ts';
import { run } from './run.ts';

void runTask('FetchModel', run);
