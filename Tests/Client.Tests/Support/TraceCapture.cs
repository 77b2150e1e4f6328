using System.Collections.Concurrent;
using System.Diagnostics;

namespace AspireStreaming.Client.Tests.Support;

/// <summary>Records the client's spans of one stream.</summary>
internal sealed class TraceCapture : IDisposable
{
    private readonly ConcurrentQueue<Activity> _ended = new();
    private readonly ActivityListener _listener;

    public TraceCapture()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "AspireStreaming.Client",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (activity.GetTagItem("messaging.destination.name") is string name && name == Stream)
                {
                    _ended.Enqueue(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public string Stream { get; } = Servers.NewStream("traced");

    public Activity[] Of(string name) => [.. _ended.Where(activity => activity.OperationName == name)];

    public void Dispose() => _listener.Dispose();
}
