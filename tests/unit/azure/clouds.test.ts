import assert from 'node:assert/strict';
import { cloudOf } from '../../../src/azure/connectionCloud.ts';
import { chosenRegistry, openRegistry } from '../../../src/azure/registry.ts';
import { DeliveryError } from '../../../src/errors.ts';
import type { ServiceConnection } from '../../../src/host/host.ts';
import { recordingHost } from '../../support/host.ts';

const application = { tenantid: 'tenant', serviceprincipalid: 'app', serviceprincipalkey: 'key' };

function connection(
  url: string,
  data: Record<string, string>,
  parameters: Record<string, string> = application,
  scheme = 'ServicePrincipal',
): ServiceConnection {
  return { id: 'connection', url, scheme, parameters, data };
}

/** As Azure DevOps stores them: the fields that its pages and its verification write, for each environment. */
const azureRm: Readonly<Record<string, ServiceConnection>> = {
  public: connection('https://management.azure.com/', {
    environment: 'AzureCloud',
    activedirectoryauthority: 'https://login.microsoftonline.com/',
    environmentauthorityurl: 'https://login.windows.net/',
    activedirectoryserviceendpointresourceid: 'https://management.core.windows.net/',
    storageendpointsuffix: 'core.windows.net',
  }),
  government: connection('https://management.usgovcloudapi.net/', {
    environment: 'AzureUSGovernment',
    environmentauthorityurl: 'https://login.microsoftonline.us/',
    activedirectoryserviceendpointresourceid: 'https://management.core.usgovcloudapi.net/',
  }),
  china: connection('https://management.chinacloudapi.cn/', {
    environment: 'AzureChinaCloud',
    environmentauthorityurl: 'https://login.chinacloudapi.cn/',
    activedirectoryserviceendpointresourceid: 'https://management.core.chinacloudapi.cn/',
  }),
  stack: connection('https://management.west.contoso.com/', {
    environment: 'AzureStack',
    environmentauthorityurl: 'https://adfs.west.contoso.com/adfs/',
    activedirectoryserviceendpointresourceid: 'https://management.adfs.west.contoso.com/5f6e',
    enableadfsauthentication: 'true',
  }),
};

const expected: Readonly<Record<string, readonly (string | undefined)[]>> = {
  public: [
    'https://login.microsoftonline.com',
    'https://management.azure.com',
    'https://management.core.windows.net',
    'core.windows.net',
    'azurecr.io',
  ],
  government: [
    'https://login.microsoftonline.us',
    'https://management.usgovcloudapi.net',
    'https://management.core.usgovcloudapi.net',
    'core.usgovcloudapi.net',
    'azurecr.us',
  ],
  china: [
    'https://login.chinacloudapi.cn',
    'https://management.chinacloudapi.cn',
    'https://management.core.chinacloudapi.cn',
    'core.chinacloudapi.cn',
    'azurecr.cn',
  ],
  stack: [
    'https://adfs.west.contoso.com',
    'https://management.west.contoso.com',
    'https://management.adfs.west.contoso.com/5f6e',
    'west.contoso.com',
    'west.contoso.com',
  ],
};

function endpoints(made: ServiceConnection) {
  const cloud = cloudOf(made);
  return [
    cloud.authorityHost,
    cloud.resourceManagerUrl,
    cloud.resourceManagerAudience,
    cloud.storageSuffix,
    cloud.registrySuffix,
  ];
}

describe('the cloud of a service connection', () => {
  for (const [name, made] of Object.entries(azureRm)) {
    it(`gives sign-in, resource manager, storage and registries: ${name}`, () => {
      assert.deepEqual(endpoints(made), expected[name]);
    });
  }

  it('is as it is listed, by whichever of its names, and nothing else', () => {
    const known = { environment: 'AzureCloud', activedirectoryauthority: 'https://login.windows.net/' };
    const cloud = cloudOf(connection('https://westeurope.management.azure.com/', known));
    assert.deepEqual(
      [cloud.authorityHost, cloud.authorityIsKnown, cloud.resourceManagerUrl],
      ['https://login.windows.net', true, 'https://westeurope.management.azure.com'],
    );
    const manager = 'https://management.azure.com/';
    const mixed: readonly (readonly [string, Record<string, string>, RegExp])[] = [
      [
        'https://management.example.org/',
        { environment: 'AzureCloud' },
        /resource manager https:\/\/management.ex/,
      ],
      ['https://management.example.org/', {}, /resource manager/],
      ['https://management.azure.com.example.org/', {}, /resource manager/],
      [manager, { environment: 'AzureUSGovernment' }, /resource manager/],
      [manager, { activedirectoryauthority: 'https://login.microsoftonline.us/' }, /sign-in service/],
      [manager, { environmentauthorityurl: 'https://sts.contoso.com/' }, /sign-in service/],
      [manager, { activedirectoryserviceendpointresourceid: 'https://graph.microsoft.com/' }, /audience/],
      [manager, { storageendpointsuffix: 'core.chinacloudapi.cn' }, /storage below/],
    ];
    for (const [url, data, named] of mixed) {
      assert.throws(
        () => cloudOf(connection(url, data)),
        (error) =>
          error instanceof DeliveryError &&
          error.code === 'SERVICE_CONNECTION_INVALID' &&
          named.test(error.message),
        `${url} ${JSON.stringify(data)}`,
      );
    }
  });

  it('is told by its resource manager where the connection has no environment', () => {
    const made = cloudOf(connection('https://management.usgovcloudapi.net/', {}));
    assert.equal(made.name, 'AzureUSGovernment');
  });

  it("does not send a listed cloud's tokens to a resource manager of one's own", () => {
    const stack = {
      environment: 'AzureStack',
      environmentauthorityurl: 'https://login.microsoftonline.com/',
      activedirectoryserviceendpointresourceid: 'https://management.core.windows.net/',
    };
    assert.throws(
      () => cloudOf(connection('https://management.example.org/', stack)),
      /resource manager of AzureCloud/,
    );
    assert.throws(() => cloudOf(connection('', stack)), /does not name a resource manager/);
  });

  it("is never taken for the public one where the connection's environment is another", () => {
    const stack = { environment: 'AzureStack' };
    const authority = { environmentauthorityurl: 'https://login.microsoftonline.com/' };
    const audience = { activedirectoryserviceendpointresourceid: 'https://management.contoso.com/5f6e' };
    for (const [fields, named] of [
      [{}, /sign-in service .* and an audience/],
      [authority, /does not name an audience/],
      [audience, /does not name a sign-in service/],
    ] as const) {
      const made = connection('https://management.west.contoso.com/', { ...stack, ...fields });
      assert.throws(
        () => cloudOf(made),
        (error) =>
          error instanceof DeliveryError &&
          error.code === 'SERVICE_CONNECTION_INVALID' &&
          named.test(error.message),
      );
    }
    const whole = connection('https://management.west.contoso.com/', { ...stack, ...authority, ...audience });
    assert.equal(cloudOf(whole).resourceManagerAudience, 'https://management.contoso.com/5f6e');
  });

  it('is managed by https alone', () => {
    assert.throws(
      () => cloudOf(connection('http://management.azure.com/', { environment: 'AzureCloud' })),
      /not https \(http:\/\/management\.azure\.com\)/,
    );
  });

  it("is the login server's for a registry connection that does not say it", () => {
    const servers = {
      'team.azurecr.io': 'public',
      'team.azurecr.us': 'government',
      'team.azurecr.cn': 'china',
    };
    for (const [server, name] of Object.entries(servers)) {
      const parameters = { ...application, loginserver: server };
      const made = connection(`https://${server}`, { registrytype: 'ACR' }, parameters);
      assert.deepEqual(endpoints(made), expected[name]);
    }
  });
});

describe('a Docker registry connection', () => {
  const { host } = recordingHost({ workingFolder: '.' });
  const login = { username: 'user', password: 'secret', registry: 'https://registry.contoso.com/' };
  const acr = { registrytype: 'ACR' };
  const server = { loginserver: 'team.azurecr.cn' };

  it('of type ACR signs in to Azure by each scheme', () => {
    const schemes: readonly [string, Record<string, string>][] = [
      ['ServicePrincipal', application],
      ['WorkloadIdentityFederation', { tenantid: 'tenant', serviceprincipalid: 'app' }],
      ['ManagedServiceIdentity', { tenantid: 'tenant' }],
    ];
    for (const [scheme, parameters] of schemes) {
      const made = connection('https://team.azurecr.cn', acr, { ...parameters, ...server }, scheme);
      const access = openRegistry(made, host);
      assert.equal(access.registryUrl, 'https://team.azurecr.cn');
      assert.equal(typeof access.fetchToken, 'function');
      assert.equal(access.credentials, undefined);
    }
  });

  it('with user and password brings those, whatever its type', () => {
    for (const data of [{}, { registrytype: 'Others' }, acr]) {
      const access = openRegistry(connection('', data, login, 'UsernamePassword'), host);
      assert.equal(access.registryUrl, 'https://registry.contoso.com');
      assert.deepEqual(access.credentials, { username: 'user', password: 'secret' });
    }
  });

  it('with Docker Hub as Azure DevOps writes it goes to its API', () => {
    const hub = { ...login, registry: 'https://index.docker.io/v1/' };
    const made = connection('', { registrytype: 'DockerHub' }, hub, 'UsernamePassword');
    assert.equal(openRegistry(made, host).registryUrl, 'https://registry-1.docker.io');
  });

  it('with another scheme, or without its fields, is refused', () => {
    const codeOf = (made: ServiceConnection): string => {
      try {
        openRegistry(made, host);
      } catch (error) {
        if (error instanceof DeliveryError) return error.code;
      }
      return 'none';
    };
    assert.equal(codeOf(connection('', {}, login, 'Token')), 'REGISTRY_CONNECTION_UNSUPPORTED');
    const incomplete = { username: 'user', registry: 'https://registry.contoso.com' };
    assert.equal(codeOf(connection('', {}, incomplete, 'UsernamePassword')), 'REGISTRY_CONNECTION_INVALID');
    const nowhere = connection('', acr, { ...application, loginserver: '' });
    assert.equal(codeOf(nowhere), 'REGISTRY_CONNECTION_INVALID');
  });

  it('has its password masked, and the pair as a header carries it', () => {
    const { host: told, said } = recordingHost({ workingFolder: '.' });
    openRegistry(connection('', {}, login, 'UsernamePassword'), told);
    assert.deepEqual(said.secrets, ['secret', Buffer.from('user:secret').toString('base64')]);
  });
});

describe('a registry that inputs or a lock name beside an Azure connection', () => {
  const enter = (made: ServiceConnection, loginServer: string): string | undefined => {
    const { host } = recordingHost({ workingFolder: '.', connections: [made] });
    try {
      chosenRegistry({ connection: made.id, loginServer }, host);
      return undefined;
    } catch (error) {
      if (error instanceof DeliveryError) return error.code;
      throw error;
    }
  };
  const [inPublic, inStack] = [azureRm['public'], azureRm['stack']];
  assert.ok(inPublic && inStack);

  it("is entered in the connection's own cloud", () => {
    assert.equal(enter(inPublic, 'team.azurecr.io'), undefined);
    assert.equal(enter(inStack, 'team.azurecr.west.contoso.com'), undefined);
  });

  it('gets no token elsewhere, nor unencrypted', () => {
    for (const server of [
      'team.azurecr.cn',
      'azurecr.io.evil.example',
      'evilazurecr.io',
      'http://team.azurecr.io',
    ]) {
      assert.equal(enter(inPublic, server), 'REGISTRY_OUTSIDE_CLOUD', server);
    }
    assert.equal(enter(inStack, 'team.azurecr.io'), 'REGISTRY_OUTSIDE_CLOUD');
  });
});
