using System.Diagnostics;

namespace AspireStreaming.PublisherApi;

/// <summary>Traces of this service.</summary>
internal static class PublisherActivity
{
    private static readonly ActivitySource Source = new(PublisherMetrics.Name);

    public static Activity? StartAppend(string stream, int events)
    {
        var activity = Source.StartActivity("append", ActivityKind.Producer);
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag("messaging.system", "redis");
            activity.SetTag("messaging.operation.type", "send");
            activity.SetTag("messaging.destination.name", stream);
            activity.SetTag("messaging.batch.message_count", events);
        }

        return activity;
    }
}
