/** A place in a stream: `<epoch>-<sequence>`. */
export type Position = string;

/** An event as the Stream API delivers it: a CloudEvent with its place in the stream. */
export interface DeliveredEvent {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  time: string;
  datacontenttype: string;
  subject?: string;
  data?: unknown;
  data_base64?: string;
  stream: string;
  position: Position;
  sequence: number;
  recordedtime: string;
  [attribute: string]: unknown;
}

/** What the server says about a stream; none of it is an event of the stream. */
export interface ControlEvents {
  /** Everything up to now has been delivered; once a stream. */
  'stream.caught-up': { stream: string; position: Position };
  /** Events after `from` up to `to` are not there any more; `missed` is null when their number is unknown. */
  'stream.gap': { stream: string; from: Position; to: Position; missed: number | null; reason: 'trimmed' | 'epoch' | 'dead' | 'unknown' };
  /** Events were skipped. */
  'stream.dropped': { stream: string; from: Position; to: Position; missed: number };
  /** The stream goes on in a new epoch; 0 missed: nothing is lost. */
  'stream.epoch': { stream: string; previous: Position; current: Position; missed: number | null };
  /** The server is about to close the connection; the subscription comes back by itself. */
  'stream.drain': { stream: string; retryMs: number; reason: string };
  /** The stream has ended. */
  'stream.end': { stream: string; type: string; position: Position };
}

/**
 * - `connecting`: not everything up to now has been delivered yet
 * - `live`
 * - `reconnecting`: there is no connection; nothing is lost, it comes later
 * - `ended`: all streams have ended
 * - `failed`: the server refuses (at least) one stream
 * - `closed`: by `close()`
 */
export type State = 'connecting' | 'live' | 'reconnecting' | 'ended' | 'failed' | 'closed';

export interface SubscribeOptions {
  /** The Stream API's address. Default: where this module was loaded from. */
  url?: string | URL;

  /**
   * 1 to 200 names, each alone or with its own start: `name@start`, `name@now`, `name@<position>` (exclusive) or
   * `name@<RFC 3339 time>`.
   */
  streams: readonly string[];

  /** Where streams without a start of their own start. Default `start`. */
  from?: 'start' | 'now' | Position | string;

  /** Only events of these types. Subscriptions that differ in it use different connections. */
  types?: readonly string[];

  /**
   * Only subscriptions of the same group share a connection. Use the user's id where users with different rights may use one
   * browser profile one after another.
   */
  group?: string;

  /** False: a connection for this subscription alone. */
  share?: boolean;

  /** Makes requests in place of `fetch`, for instance with a token: `(url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization } })`. */
  fetch?: (url: URL, init: RequestInit) => Promise<Response>;

  /**
   * Called with each event once, in the order of its stream.
   * @param text the event as it was sent; JSON.parse changes numbers above 2^53
   */
  onEvent?: (event: DeliveredEvent, text: string) => void;

  onControl?: <Name extends keyof ControlEvents>(name: Name, data: ControlEvents[Name]) => void;

  /** @param error for `failed`: why, and the HTTP status if there was one */
  onState?: (state: State, error: { message: string; status?: number } | null) => void;
}

export interface Subscription {
  /** By stream, the position up to which everything was delivered: what to store if a later visit shall go on there. */
  readonly positions: Readonly<Record<string, Position>>;

  close(): void;
}

/**
 * Subscribes to streams.
 * @throws TypeError a stream is named twice, or none
 * @throws RangeError more streams than fit four connections of 50
 */
export function subscribe(options: SubscribeOptions): Subscription;

/** Compares two positions: negative when the first is the earlier one. */
export function comparePositions(a: Position, b: Position): number;
