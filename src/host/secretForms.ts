const shortest = 4;

function jsonText(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** In a path, in a query, in a form as services are sent it; each with small hexadecimal digits too. */
function inUrls(value: string): string[] {
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const encoded = [encodeURIComponent(value), encodeURI(value), form];
  return encoded.flatMap((text) => [text, text.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase())]);
}

function base64Url(value: string): string {
  return Buffer.from(value).toString('base64url');
}

/** Base64 of a value that begins at any place of a longer one, without the characters that its neighbours change. */
function base64Within(value: string): string[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]).toString('base64');
    const whole = before === 0 ? text : text.slice(4);
    const rest = (before + Buffer.byteLength(value)) % 3;
    return rest === 0 ? whole : whole.slice(0, -4);
  });
}

/**
 * The forms in which a secret may turn up in a log, each to be masked: its lines (the agent masks line by line and
 * refuses a secret of several lines), and the whole in base64, in a URL, in a form and in JSON. The lines of a PEM are base64
 * already, and short texts would mask what is no secret.
 */
export function secretForms(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.trim().length >= shortest);
  const long = value.length >= 8 && value.length <= 16_384;
  const encoded = long ? [...inUrls(value), jsonText(value), ...base64Within(value), base64Url(value)] : [];
  return [...new Set([...lines, ...encoded.filter((form) => form.length >= 8 && !/[\r\n]/.test(form))])];
}
