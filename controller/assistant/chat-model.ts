/** What the model asks for: `arguments` is text that claims to be JSON. */
export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

/** One message of a conversation. */
export type ChatMessage =
  | { role: 'system' | 'user'; text: string }
  | { role: 'assistant'; text: string; toolCalls: ToolCall[] }
  | { role: 'tool'; text: string; toolCallId: string };

/** A tool as the model is told of it; `parameters` is a JSON schema. */
export interface ToolDescription {
  name: string;
  description: string;
  parameters: Record<string, unknown>;
}

export interface ChatAnswer {
  text: string;
  toolCalls: ToolCall[];
  /** Null when the endpoint did not say. */
  tokensIn: number | null;
  tokensOut: number | null;
  /** It ended because it had grown too long. */
  isCut: boolean;
}

/** The model behind the configured endpoint. */
export interface ChatModel {
  /** Waits and tries again while that may help; throws ModelError, or the signal's reason. */
  ask(messages: ChatMessage[], tools: ToolDescription[], signal: AbortSignal): Promise<ChatAnswer>;
}

/** Why the model did not answer; `code` is what the run fails with. */
export class ModelError extends Error {
  readonly code: 'model_unavailable' | 'model_refused' | 'model_nonsense';

  constructor(code: ModelError['code'], message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'ModelError';
    this.code = code;
  }
}
