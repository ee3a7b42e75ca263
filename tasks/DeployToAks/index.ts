import { runTask } from '../../src/host/azure.ts';
import { deployToAks } from './run.ts';

void runTask('DeployToAks', deployToAks);
