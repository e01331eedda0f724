/** More than this is no answer of a model. */
const maxAnswerBytes = 4 * 1024 * 1024;

export class AnswerTooLarge extends Error {
  constructor() {
    super(`expected an answer of at most ${maxAnswerBytes} bytes`);
    this.name = 'AnswerTooLarge';
  }
}

/** As `fetch`, without following redirects (the key is for one address), and with answers that end with an error when they grow too large. */
export async function boundedFetch(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'error' });
  if (response.body === null) return response;
  let bytes = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        if (bytes > maxAnswerBytes) throw new AnswerTooLarge();
        controller.enqueue(chunk);
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(counted, { status, statusText, headers });
}
