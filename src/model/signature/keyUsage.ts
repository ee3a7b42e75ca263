/** One element of a DER encoding. */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** Elements that lie one after another. ITU-T X.690, section 8.1. */
function* elements(der: Buffer): Generator<Element> {
  for (let at = 0; at + 2 <= der.length; ) {
    const tag = der.readUInt8(at);
    const short = der.readUInt8(at + 1);
    const lengthBytes = short < 0x80 ? 0 : short - 0x80;
    const length = lengthBytes === 0 ? short : der.readUIntBE(at + 2, Math.min(lengthBytes, 6));
    const start = at + 2 + lengthBytes;
    yield { tag, content: der.subarray(start, start + length) };
    at = start + length;
  }
}

function inside(der: Buffer): readonly Element[] {
  return [...elements([...elements(der)][0]?.content ?? Buffer.alloc(0))];
}

const sequence = 0x30;
const extensions = 0xa3;
const octetString = 0x04;
/** 2.5.29.15 and 2.5.29.37, without tag and length. */
const keyUsageId = '551d0f';
const extendedKeyUsageId = '551d25';
/** 1.3.6.1.5.5.7.3.3, codeSigning, with tag and length. */
const codeSigning = '06082b06010505070303';

/** The content of a certificate's extension. RFC 5280, section 4.1. */
function extensionOf(certificate: Buffer, id: string): Buffer | undefined {
  const toBeSigned = inside(certificate)[0]?.content ?? Buffer.alloc(0);
  const wrapped = [...elements(toBeSigned)].find((element) => element.tag === extensions);
  for (const extension of inside(wrapped?.content ?? Buffer.alloc(0))) {
    if (extension.tag !== sequence) continue;
    const parts = [...elements(extension.content)];
    if (parts[0]?.content.toString('hex') === id)
      return parts.find((part) => part.tag === octetString)?.content;
  }
  return undefined;
}

/**
 * True when the certificate's key may sign data: its key usage has digitalSignature, or its extended key usage
 * codeSigning. RFC 5280, sections 4.2.1.3 and 4.2.1.12; Node's X509Certificate does not tell the former.
 */
export function maySign(certificate: Buffer): boolean {
  // BIT STRING: tag, length, unused bits, then the bits from the highest on; digitalSignature is the first.
  const usage = extensionOf(certificate, keyUsageId)?.at(3) ?? 0;
  if ((usage & 0x80) !== 0) return true;
  return extensionOf(certificate, extendedKeyUsageId)?.toString('hex').includes(codeSigning) ?? false;
}
