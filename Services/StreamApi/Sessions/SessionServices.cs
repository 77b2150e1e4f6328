using AspireStreaming.ServiceDefaults;
using AspireStreaming.StreamApi.Connections;
using Microsoft.Extensions.Options;

namespace AspireStreaming.StreamApi.Sessions;

/// <summary>What all sessions share.</summary>
internal sealed class SessionServices(
    FollowerFactory followers,
    DurableCursors cursors,
    SessionPublisher publisher,
    InFlightBytes inFlight,
    MemoryGuard memory,
    SubscriptionServices subscriptions,
    IOptions<SessionOptions> options,
    ILogger<Session> logger)
{
    public FollowerFactory Followers => followers;

    public DurableCursors Cursors => cursors;

    public SessionPublisher Publisher => publisher;

    public InFlightBytes PublishBytes => inFlight;

    public MemoryGuard Memory => memory;

    public SubscriptionServices Subscriptions => subscriptions;

    public SessionOptions Options { get; } = options.Value;

    public SessionCommands Commands { get; } = new(options.Value);

    public TimeProvider Time => subscriptions.Time;

    public SessionTurns Turns { get; } = new();

    public ILogger Logger => logger;
}
