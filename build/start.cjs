'use strict';
// What the agent starts. V8 keeps what it compiled (Node 22.1 and newer), where the agent keeps tools from run to run.
const { enableCompileCache } = require('node:module');
const { join } = require('node:path');

const tools = process.env.AGENT_TOOLSDIRECTORY;
try {
  if (tools) enableCompileCache?.(join(tools, 'model-delivery', 'compile-cache'));
} catch {
  // Without it a run starts a little later.
}
require('./task.js');
