using AspireStreaming.Client;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber by the .NET client, which has to get along by itself: whatever it throws is a finding.</summary>
public sealed class ClientSubscriber(EventSubscriber subscriber, StreamTransport transport, SubscriberTrack track, History history)
    : LoadSubscriber(track, history)
{
    protected override void Dispose() => subscriber.Dispose();

    protected override bool IsExpected(Exception exception) => false;

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        var options = new SubscribeOptions
        {
            Transport = transport,
            ResumeToken = Track.Last == LogPosition.Zero ? null : Track.Last.ToString(),
            ConnectWithin = TimeSpan.MaxValue,
        };
        var isConnected = false;
        await foreach (var item in subscriber.FollowAsync(Track.Stream, options, cancellationToken))
        {
            if (item is ConnectionLost)
            {
                isConnected = false;
                continue;
            }

            if (!isConnected)
            {
                isConnected = true;
                NoteConnection();
            }

            if (item is StreamEvent received)
            {
                Track.Event(received.Position.ToString(), received.Subject ?? received.Id, received.Attributes.GetValueOrDefault("firstposition"));
            }
            else if (item is StreamNotice notice)
            {
                Track.Control(notice.Name, notice.Json);
            }
        }

        return true;
    }
}
