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
      test: '*',
      uuid: '*',
      _osx_support: '*',
      _aix_support: '*',
      _pyrepl: '*',
      imaplib: ['IMAP4_stream'],
      pkgutil: ['resolve_name'],
      cloudpickle: '*',
      idlelib: '*',
      lib2to3: '*',
      marshal: '*',
      types: ['CodeType', 'FunctionType'],
      copyreg: ['add_extension'],
      copy_reg: ['add_extension'],
      'torch.hub': '*',
      'numpy.f2py': '*',
      'numpy.testing._private.utils': '*',
      'torch._dynamo.guards': ['GuardBuilder.get'],
      'torch._inductor.codecache': ['compile_file'],
      'torch.fx.experimental.symbolic_shapes': ['ShapeEnv.evaluate_guards_expression'],
      'torch.jit.unsupported_tensor_ops': ['execWrapper'],
      'torch.utils.bottleneck.__main__': '*',
      'torch.utils.collect_env': ['run'],
      'torch.utils.cpp_extension': '*',
      cffi: '*',
      zipimport: '*',
      threading: '*',
      _thread: '*',
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
      'joblib.numpy_pickle': ['load'],
      numpy: ['load'],
      'numpy.lib.npyio': ['load'],
      'numpy.lib._npyio_impl': ['load'],
      pandas: ['read_pickle', 'eval'],
      'pandas.io.pickle': '*',
      shelve: '*',
      torch: ['load'],
      'torch.serialization': ['load'],
      'torch.storage': ['_load_from_bytes'],
      'torch.jit': ['load'],
      'torch.jit._serialization': ['load'],
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
      _io: ['open', 'FileIO', 'open_code'],
      logging: ['FileHandler'],
      pathlib: [
        'Path.unlink',
        'Path.write_text',
        'Path.write_bytes',
        'Path.open',
        'Path.rename',
        'Path.rmdir',
      ],
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

function ruleOf(module: string, name: string): Danger | undefined {
  const exact = byModule.get(module);
  const first = name.split('.')[0] ?? '';
  if (
    exact !== undefined &&
    (exact.names === '*' || [name, first].some((one) => exact.names.includes(one)))
  ) {
    return { why: exact.why };
  }
  for (let dot = module.lastIndexOf('.'); dot > 0; dot = module.lastIndexOf('.', dot - 1)) {
    const parent = byModule.get(module.slice(0, dot));
    if (parent?.names === '*') return { why: parent.why };
  }
  return undefined;
}

/** Attributes by which everything can be reached from anything. */
const reaching =
  /^__(globals|builtins|class|bases?|mro|subclasses|dict|getattribute|import|code|loader|spec)__$/;

/**
 * Why an import is dangerous; undefined when no rule names it or one of the packages that it is in. From protocol 4 on
 * a name may be a path through attributes: a module's own imports (`collections` and `_sys.modules`) lead anywhere.
 */
export function dangerOf(module: string, name: string): Danger | undefined {
  const found = ruleOf(module, name);
  const parts = name.split('.');
  if (found !== undefined || parts.length === 1) return found;
  if (parts.some((part) => reaching.test(part)))
    return { why: 'it reaches code through attributes of others' };
  for (const [at, part] of parts.slice(0, -1).entries()) {
    const through = ruleOf(part.replace(/^_+(?=[a-z])/, ''), parts.slice(at + 1).join('.'));
    if (through !== undefined) return through;
  }
  return undefined;
}
