import { runTask } from '../../src/host/azure.ts';
import { buildModelImage } from './run.ts';

void runTask('BuildModelImage', buildModelImage);
