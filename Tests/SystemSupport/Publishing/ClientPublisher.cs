using AspireStreaming.Client;
using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.SystemSupport.Publishing;

/// <summary>Publishes by the .NET client, which repeats by itself what got no answer.</summary>
public sealed class ClientPublisher : LoadPublisher
{
    private readonly EventPublisher _publisher;
    private bool _hasRetried;

    public ClientPublisher(HttpClient client, string name, History history, IReadOnlyList<string> streams, TimeSpan? interval = null)
        : base(name, history, streams, interval) =>
        _publisher = new EventPublisher(client, new StreamingClientOptions { OnRetry = _ => _hasRetried = true });

    protected override async Task<PublishAnswer?> TrySendAsync(string stream, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        _hasRetried = false;
        try
        {
            var receipt = await _publisher.PublishAsync(
                stream, [.. ids.Select(static id => NewEvent.Json("token", new { text = id }) with { Id = id, Source = "/tests" })],
                cancellationToken: cancellationToken);

            // What an attempt without an answer had appended is no duplicate to whoever published it once.
            return _hasRetried
                ? new PublishAnswer(receipt.First.ToString(), receipt.Last.ToString(), (int)(receipt.Accepted + receipt.Duplicates), 0)
                : new PublishAnswer(receipt.First.ToString(), receipt.Last.ToString(), (int)receipt.Accepted, (int)receipt.Duplicates);
        }
        catch (ServiceUnreachableException)
        {
            return null;
        }
    }
}
