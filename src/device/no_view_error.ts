/**
 * @module
 */
import { CommandError } from "../sys/command_error.ts";

/** There can be no view of an image, or not here; other transports may do. */
export class NoViewError extends CommandError {}
