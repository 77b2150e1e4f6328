using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace AspireStreaming.StreamApi.Tests.Rpc;

public sealed class CompressionTests(SharedHost shared)
{
    private static readonly Metadata Compressed = new() { { "grpc-internal-encoding-request", "gzip" } };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_compresses_gets_compressed_answers(bool compresses)
    {
        var stream = TestLog.NewStream();
        var text = new string('x', 100_000);
        await shared.Log.AppendAsync(stream, shared.Log.Event(data: $"\"{text}\""));
        using var seen = new SeenEncodings();
        using var channel = GrpcChannel.ForAddress(shared.Host.Grpc, new GrpcChannelOptions { HttpHandler = seen });
        var client = new Streams.StreamsClient(channel);
        var headers = compresses ? Compressed : null;

        var page = await client.ReadAsync(new ReadRequest { Stream = stream }, headers, cancellationToken: Cancel);
        using var subscription = client.Subscribe(new SubscribeRequest { Stream = stream }, headers, cancellationToken: Cancel);
        await subscription.ResponseStream.MoveNext(Cancel);
        using var session = client.Session(headers, cancellationToken: Cancel);
        await session.RequestStream.WriteAsync(
            new ClientMessage { Subscribe = new SessionSubscribe { Sub = "1", Stream = stream, From = "start" } }, Cancel);
        await session.ResponseStream.MoveNext(Cancel);
        await session.ResponseStream.MoveNext(Cancel);

        Assert.Equal(text.Length + 2, page.Events[0].Data.Length);
        Assert.Equal(text.Length + 2, subscription.ResponseStream.Current.Event.Data.Length);
        Assert.Equal(text.Length + 2, session.ResponseStream.Current.Event.Data.Length);
        Assert.All(seen.Requests, encoding => Assert.Equal(compresses ? "gzip" : "identity", encoding));
        Assert.All(seen.Responses, encoding => Assert.Equal(compresses ? "gzip" : "identity", encoding));
        Assert.Equal(3, seen.Responses.Count);
    }

    private sealed class SeenEncodings() : DelegatingHandler(new SocketsHttpHandler())
    {
        public List<string> Requests { get; } = [];

        public List<string> Responses { get; } = [];

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests.Add(EncodingOf(request.Headers));
            var response = await base.SendAsync(request, cancellationToken);
            Responses.Add(EncodingOf(response.Headers));
            return response;
        }

        private static string EncodingOf(System.Net.Http.Headers.HttpHeaders headers) =>
            headers.TryGetValues("grpc-encoding", out var values) ? values.Single() : "identity";
    }
}
