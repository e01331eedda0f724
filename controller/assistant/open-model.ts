import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/node/logger.ts';
import type { ChatModel } from './chat-model.ts';

/** The model as the configuration names it. */
export interface ModelPlace {
  base_url: string;
  model: string;
  api_key_file?: string | undefined;
  timeout_seconds: number;
  max_output_tokens: number;
  stream: boolean;
}

/** Name under which systemd hands the key over (`LoadCredential=assistant-api-key:…`). */
const credential = 'assistant-api-key';

/** Prepares the model; the client library is only loaded when the first prompt comes. */
export async function openModel(place: ModelPlace, env: NodeJS.ProcessEnv, log: Logger): Promise<ChatModel> {
  const apiKey = await readKey(place, env);
  let loading: Promise<ChatModel> | undefined;
  const load = async (): Promise<ChatModel> => {
    const { OpenAiModel } = await import('./openai-model.ts');
    return new OpenAiModel(
      {
        baseUrl: place.base_url,
        model: place.model,
        apiKey,
        timeoutMs: place.timeout_seconds * 1000,
        maxOutputTokens: place.max_output_tokens,
        stream: place.stream,
      },
      log,
    );
  };
  return {
    ask: async (...request) => {
      loading ??= load();
      return (await loading).ask(...request);
    },
  };
}

/** The file that is named, else the credential that systemd hands over, else none. */
async function readKey(
  { api_key_file: named }: ModelPlace,
  { CREDENTIALS_DIRECTORY: folder }: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const handed = folder === undefined ? undefined : join(folder, credential);
  const file = named ?? (handed !== undefined && existsSync(handed) ? handed : undefined);
  if (file === undefined) return undefined;
  const key = (
    await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new AppError('bad_request', `assistant.api_key_file cannot be read: ${file}`, { cause });
    })
  ).trim();
  if (!/^[\x21-\x7e]{1,4096}$/.test(key)) {
    throw new AppError('bad_request', `${file} holds no key: expected one line of printable characters`);
  }
  return key;
}
