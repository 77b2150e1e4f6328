using System.Diagnostics.Metrics;

namespace AspireStreaming.Client.Diagnostics;

/// <summary>The library's metrics; names follow OpenTelemetry's messaging conventions where those have one.</summary>
internal static class ClientMetrics
{
    private static readonly Meter Meter = new(ClientDiagnostics.Name);

    public static Counter<long> Published { get; } =
        Meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Events acknowledged.");

    public static Counter<long> Duplicates { get; } =
        Meter.CreateCounter<long>("aspirestreaming.client.duplicates", "{message}", "Acknowledged events that were already there.");

    public static Histogram<double> PublishDuration { get; } =
        Meter.CreateHistogram<double>("messaging.client.operation.duration", "s", "Time to an acknowledgement, retries included.");

    public static Counter<long> Retries { get; } =
        Meter.CreateCounter<long>("aspirestreaming.client.retries", "{retry}", "Requests that were repeated.");

    public static Counter<long> Consumed { get; } =
        Meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Events received.");

    public static Counter<long> Reconnects { get; } =
        Meter.CreateCounter<long>("aspirestreaming.client.reconnects", "{connection}", "Connections that ended or could not be made.");

    public static Counter<long> Losses { get; } =
        Meter.CreateCounter<long>("aspirestreaming.client.losses", "{notice}", "Announcements of missing or skipped events.");
}
