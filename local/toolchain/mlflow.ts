import type { LocalContext } from '../lib/context.ts';
import { ensurePythonTool } from './python.ts';

/** What `mlflow server` itself reads; MLflow asks for scipy, pyarrow, matplotlib and more, which training needs. */
const needed = [
  ...['Flask==3.1.3', 'Flask-WTF==1.3.0', 'Jinja2==3.1.6', 'Mako==1.4.3', 'MarkupSafe==3.0.4'],
  ...['PyYAML==6.0.3', 'SQLAlchemy==2.1.9', 'WTForms==3.3.2', 'Werkzeug==3.1.9', 'aiohappyeyeballs==2.7.1'],
  ...['aiohttp==3.14.5', 'aiosignal==1.4.0', 'alembic==1.20.1', 'annotated-doc==0.0.7'],
  ...['annotated-types==0.8.0', 'anyio==4.16.0', 'attrs==26.1.0', 'blinker==1.9.0', 'cachetools==8.0.1'],
  ...['certifi==2026.10.18', 'cffi==2.1.1', 'charset-normalizer==3.5.2', 'click==8.5.1'],
  ...['cloudpickle==3.1.2', 'cryptography==50.0.2', 'databricks-sdk==0.156.0', 'fastapi==0.165.0'],
  ...['flask-cors==6.0.5', 'frozenlist==1.8.0', 'google-auth==2.62.2', 'h11==0.16.0', 'idna==3.20'],
  ...['importlib_metadata==10.2.0', 'itsdangerous==2.2.0', 'lazy-importer==0.1.0', 'multidict==7.2.1'],
  ...['numpy==2.4.6', 'opentelemetry-api==1.45.2', 'opentelemetry-proto==1.45.2'],
  ...['opentelemetry-sdk==1.45.2', 'opentelemetry-semantic-conventions==0.66b2', 'packaging==26.3'],
  ...['pandas==3.1.1', 'propcache==0.5.4', 'protobuf==7.36.2', 'pyasn1==0.6.5', 'pyasn1_modules==0.4.2'],
  ...['pycparser==3.12', 'pydantic==2.14.3', 'pydantic_core==2.50.4', 'python-dateutil==2.9.0.post0'],
  ...['python-dotenv==1.2.4', 'requests==2.34.2', 'six==1.17.0', 'sqlparse==0.6.1', 'starlette==1.10.0'],
  ...['typing-inspection==0.4.5', 'typing_extensions==4.16.0', 'urllib3==2.8.0', 'uvicorn==0.54.0'],
  ...['yarl==1.25.1', 'zipp==4.1.2'],
];

/** The interpreter with MLflow's own server. */
export function mlflowTool(context: LocalContext): Promise<string> {
  return ensurePythonTool(context, {
    name: 'mlflow',
    requirements: ['--no-deps', 'mlflow==3.18.0', ...needed],
  });
}
