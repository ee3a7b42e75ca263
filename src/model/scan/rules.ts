/** What an import in a model file can do when the file is loaded. */
export interface Danger {
  readonly why: string;
}

type Names = '*' | readonly string[];

interface Rule {
  readonly why: string;
  readonly modules: Readonly<Record<string, Names>>;
}

const builtinNames = [
  'eval',
  'exec',
  'compile',
  'open',
  'getattr',
  'setattr',
  'apply',
  'breakpoint',
  '__import__',
  'input',
  'execfile',
  'file',
  'reload',
];

/**
 * Imports that loading a model never needs and that run code, reach files or reach the network. They are the
 * globals that picklescan calls dangerous and modelscan critical or high.
 * https://github.com/mmaitre314/picklescan, https://github.com/protectai/modelscan/blob/main/docs/severity_levels.md
 */
const rules: readonly Rule[] = [
  {
    why: 'it runs commands or code',
    modules: {
      builtins: builtinNames,
      __builtin__: builtinNames,
      os: '*',
      posix: '*',
      nt: '*',
      subprocess: '*',
      _posixsubprocess: '*',
      commands: '*',
      sys: '*',
      runpy: '*',
      pty: '*',
      code: '*',
      codeop: '*',
      pdb: '*',
      bdb: '*',
      timeit: '*',
      trace: '*',
      profile: '*',
      cProfile: '*',
      doctest: '*',
      pydoc: '*',
      ctypes: '*',
      _ctypes: '*',
      multiprocessing: '*',
      asyncio: '*',
      importlib: '*',
      imp: '*',
      pip: '*',
      ensurepip: '*',
      venv: '*',
      idlelib: '*',
      lib2to3: '*',
      marshal: '*',
      types: ['CodeType', 'FunctionType'],
      'numpy.f2py': '*',
      'numpy.testing._private.utils': '*',
      'torch._dynamo.guards': ['GuardBuilder.get'],
      'torch._inductor.codecache': ['compile_file'],
      'torch.fx.experimental.symbolic_shapes': ['ShapeEnv.evaluate_guards_expression'],
      'torch.jit.unsupported_tensor_ops': ['execWrapper'],
      'torch.utils.bottleneck.__main__': '*',
      'torch.utils.collect_env': ['run'],
    },
  },
  {
    why: 'it builds calls to anything from innocent parts',
    modules: {
      operator: ['attrgetter', 'itemgetter', 'methodcaller'],
      _operator: ['attrgetter', 'itemgetter', 'methodcaller'],
      functools: ['partial'],
    },
  },
  {
    why: 'it loads another pickle, which this inspection does not see',
    modules: {
      pickle: '*',
      _pickle: '*',
      cPickle: '*',
      dill: ['loads', 'load', '_dill._create_code'],
      joblib: ['load'],
      'torch.serialization': ['load'],
      'torch.utils._config_module': ['ConfigModule.load_config'],
      'torch.utils.data.datapipes.utils.decoder': ['basichandlers'],
    },
  },
  {
    why: 'it changes or copies files',
    modules: {
      shutil: '*',
      'distutils.file_util': '*',
      io: ['open', 'FileIO', 'open_code'],
    },
  },
  {
    why: 'it opens network connections',
    modules: {
      socket: '*',
      ssl: '*',
      http: '*',
      httplib: '*',
      urllib: '*',
      urllib2: '*',
      requests: '*',
      aiohttp: '*',
      ftplib: '*',
      smtplib: '*',
      telnetlib: '*',
      webbrowser: '*',
    },
  },
];

const byModule = new Map<string, { readonly why: string; readonly names: Names }>(
  rules.flatMap(({ why, modules }) =>
    Object.entries(modules).map(([module, names]) => [module, { why, names }] as const),
  ),
);

/** The module names that a search by signature looks for. */
export const dangerousModules: readonly string[] = [...byModule.keys()];

/** Why an import is dangerous; undefined when no rule names it or one of the packages that it is in. */
export function dangerOf(module: string, name: string): Danger | undefined {
  const exact = byModule.get(module);
  if (
    exact !== undefined &&
    (exact.names === '*' || exact.names.includes(name) || exact.names.includes(name.split('.')[0] ?? ''))
  ) {
    return { why: exact.why };
  }
  for (let dot = module.lastIndexOf('.'); dot > 0; dot = module.lastIndexOf('.', dot - 1)) {
    const parent = byModule.get(module.slice(0, dot));
    if (parent?.names === '*') return { why: parent.why };
  }
  return undefined;
}
