using System.Globalization;
using AspireStreaming.TestSupport.Histories;
using AspireStreaming.V1;
using Grpc.Core;

namespace AspireStreaming.SystemSupport.Subscribing;

/// <summary>A subscriber of several streams by one <c>Streams.Session</c>, with a window for each.</summary>
public sealed class GrpcSessionSubscriber(ChannelBase channel, IReadOnlyList<SubscriberTrack> tracks, History history) : LoadSubscriber(tracks, history)
{
    private const int Window = 32;
    private const int AcknowledgeEvery = 8;

    /// <summary>
    /// How long a new session may say nothing. A call that meets a server's farewell is repeated by the HTTP client on another connection
    /// without the messages that were written to the first, and then both sides wait.
    /// </summary>
    private static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(5);

    private readonly Streams.StreamsClient _client = new(channel);

    protected override bool IsExpected(Exception exception) => GrpcConnections.IsBroken(exception);

    protected override async Task<bool> FollowAsync(CancellationToken cancellationToken)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(OpenTimeout);
        using var call = _client.Session(cancellationToken: silence.Token);
        for (var sub = 0; sub < Tracks.Count; sub++)
        {
            await call.RequestStream.WriteAsync(
                new ClientMessage
                {
                    Subscribe = new SessionSubscribe
                    {
                        Sub = sub.ToString(CultureInfo.InvariantCulture),
                        Stream = Tracks[sub].Stream,
                        From = Tracks[sub].Last == LogPosition.Zero ? "start" : Tracks[sub].Last.ToString(),
                        Window = Window,
                    },
                },
                cancellationToken);
        }

        while (await call.ResponseStream.MoveNext(cancellationToken))
        {
            silence.CancelAfter(Timeout.InfiniteTimeSpan);
            var message = call.ResponseStream.Current;
            var track = message.Sub.Length > 0 ? Tracks[int.Parse(message.Sub, CultureInfo.InvariantCulture)] : Track;
            switch (message.MessageCase)
            {
                case ServerMessage.MessageOneofCase.Subscribed:
                    NoteConnection();
                    break;
                case ServerMessage.MessageOneofCase.Event:
                    var delivered = message.Event;
                    track.Event(delivered.Position, delivered.Subject.Length > 0 ? delivered.Subject : delivered.Id, delivered.Attributes.TryGetValue("firstposition", out var first) ? first : null, delivered.Recordedtime);
                    await PaceAsync(cancellationToken);
                    if (track.Count % AcknowledgeEvery == 0)
                    {
                        await AcknowledgeAsync(call, message.Sub, delivered.Position, cancellationToken);
                    }

                    break;
                case ServerMessage.MessageOneofCase.Control:
                    track.Control(message.Control.Name, message.Control.Json);
                    break;
                case ServerMessage.MessageOneofCase.Error when message.Error.Status is 503 or 429:
                    return false;
                case ServerMessage.MessageOneofCase.Error:
                    History.Report(FindingKind.WrongAnswer, track.Stream, track.Name, message.Error.ToString());
                    break;
            }
        }

        return false;
    }

    private static Task AcknowledgeAsync(
        AsyncDuplexStreamingCall<ClientMessage, ServerMessage> call, string sub, string position, CancellationToken cancellationToken) =>
        call.RequestStream.WriteAsync(new ClientMessage { Ack = new SessionAck { Sub = sub, Position = position } }, cancellationToken);
}
