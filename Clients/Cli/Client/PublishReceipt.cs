namespace AspireStreaming.Cli.Client;

/// <summary>The Publisher API's acknowledgement of a batch.</summary>
/// <param name="Accepted">Events that were appended.</param>
/// <param name="Duplicates">Events that were already there.</param>
/// <param name="First">Position of the batch's first event.</param>
/// <param name="Last">Position of the batch's last event.</param>
internal sealed record PublishReceipt(long Accepted, long Duplicates, StreamPosition First, StreamPosition Last);
