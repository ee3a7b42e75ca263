import { packageExtension } from '../../build/package.ts';

/** `npm run package`: the .vsix in dist/. */
export async function packageCommand(): Promise<number> {
  await packageExtension(console.log);
  return 0;
}
