/**
 * Makes text from outside harmless to the agent, which runs `##vso[…]` and formats `##[…]` wherever a line
 * carries them: the marker is broken, the rest stays readable.
 * Source: azure-pipelines-agent, docs/preview/outputvariable.md and the logging commands reference.
 */
export function neutralise(text: string): string {
  return text.replace(/##(?=vso\[|\[)/gi, '# #');
}
