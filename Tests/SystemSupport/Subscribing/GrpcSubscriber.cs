using AspireStreaming.TestSupport.Histories;
using AspireStreaming.V1;
using Grpc.Core;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber by <c>Streams.Subscribe</c>.</summary>
public sealed class GrpcSubscriber(ChannelBase channel, SubscriberTrack track, History history) : LoadSubscriber(track, history)
{
    private readonly Streams.StreamsClient _client = new(channel);

    protected override bool IsExpected(Exception exception) => GrpcConnections.IsBroken(exception);

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        using var call = _client.Subscribe(
            new SubscribeRequest { Stream = Track.Stream, From = Track.Last == LogPosition.Zero ? "start" : Track.Last.ToString() },
            cancellationToken: cancellationToken);
        await call.ResponseHeadersAsync;
        NoteConnection();
        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            var item = call.ResponseStream.Current;
            if (item.Event is { } delivered)
            {
                Track.Event(delivered.Position, delivered.Subject.Length > 0 ? delivered.Subject : delivered.Id, delivered.Attributes.TryGetValue("firstposition", out var first) ? first : null, delivered.Recordedtime);
                await PaceAsync(cancellationToken);
            }
            else
            {
                Track.Control(item.Control.Name, item.Control.Json);
                if (item.Control.Name == "stream.end")
                {
                    return true;
                }
            }
        }

        return false;
    }
}
