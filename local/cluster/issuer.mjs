// The sign-in service's public documents, told inside the node to its API server alone. Node runs it as it is: the
// tests' own sign-in services live in processes of their own, come and go, and the API server asks when it starts.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [folder, cert, key, port] = process.argv.slice(2);
const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => {
  const name = ['openid-configuration', 'keys'].find((document) => request.url === `/${document}`);
  if (name === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(readFileSync(`${folder}/${name}.json`));
});
server.listen(Number(port), '127.0.0.1');
