using System.IO.Compression;
using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.Grpc.Tests.Protos;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Compression;

namespace AspireStreaming.Grpc.Tests;

public sealed class CompressionTests
{
    public static TheoryData<string> Encodings => ["gzip", "deflate"];

    [Theory]
    [MemberData(nameof(Encodings))]
    public async Task Request_and_response_are_compressed_when_asked(string encoding)
    {
        ICompressionProvider[] providers =
        [
            new GzipCompressionProvider(CompressionLevel.Fastest), new DeflateCompressionProvider(CompressionLevel.Fastest),
        ];
        await using var server = await ProbeServer.StartAsync(options =>
        {
            options.CompressionProviders = [.. providers];
            options.ResponseCompressionAlgorithm = encoding;
        });
        using var recorder = new ResponseEncodingRecorder { InnerHandler = new SocketsHttpHandler() };
        var client = server.CreateClient(new GrpcChannelOptions { HttpHandler = recorder, CompressionProviders = [.. providers] });
        var data = ByteString.CopyFrom(new byte[100_000]);

        var reply = await client.EchoAsync(
            new Message { Data = data },
            new Metadata { { "grpc-internal-encoding-request", encoding } },
            cancellationToken: TestContext.Current.CancellationToken);

        Assert.Equal(data, reply.Data);
        Assert.Equal(encoding, reply.RequestEncoding);
        Assert.Equal(encoding, recorder.ResponseEncoding);
        Assert.InRange(recorder.RequestBytes, 1, 2_000);
    }

    /// <summary>The client hides grpc-* headers from metadata, so they are read off the HTTP messages.</summary>
    private sealed class ResponseEncodingRecorder : DelegatingHandler
    {
        public string? ResponseEncoding { get; private set; }

        public long RequestBytes { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using var body = new MemoryStream();
            await request.Content!.CopyToAsync(body, cancellationToken);
            RequestBytes = body.Length;
            var content = new ByteArrayContent(body.ToArray());
            content.Headers.ContentType = request.Content.Headers.ContentType;
            request.Content = content;
            var response = await base.SendAsync(request, cancellationToken);
            ResponseEncoding = response.Headers.GetValues("grpc-encoding").Single();
            return response;
        }
    }
}
