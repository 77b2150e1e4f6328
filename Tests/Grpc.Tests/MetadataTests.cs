using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.Grpc.Tests.Protos;
using Grpc.Core;

namespace AspireStreaming.Grpc.Tests;

public sealed class MetadataTests
{
    private static readonly byte[] Bytes = [0, 1, 127, 128, 255];

    [Fact]
    public async Task Headers_and_trailers_travel_both_ways_as_text_and_bytes()
    {
        await using var server = await ProbeServer.StartAsync();
        var headers = new Metadata
        {
            { "echo-text", "head" },
            { "echo-bytes-bin", Bytes },
            { "trail-text", "tail" },
            { "trail-bytes-bin", Bytes },
        };
        using var call = server.Client.EchoAsync(new Message(), headers, cancellationToken: TestContext.Current.CancellationToken);

        var responseHeaders = await call.ResponseHeadersAsync;
        await call;
        var trailers = call.GetTrailers();

        Assert.Equal("head", responseHeaders.GetValue("echo-text"));
        Assert.Equal(Bytes, responseHeaders.GetValueBytes("echo-bytes-bin"));
        Assert.Equal("tail", trailers.GetValue("trail-text"));
        Assert.Equal(Bytes, trailers.GetValueBytes("trail-bytes-bin"));
    }

    [Fact]
    public void Get_repeated_key_returns_the_last_and_GetAll_every_value()
    {
        var metadata = new Metadata { { "key", "first" }, { "KEY", "second" } };

        Assert.Equal("second", metadata.GetValue("key"));
        Assert.Equal(["first", "second"], metadata.GetAll("key").Select(entry => entry.Value));
        Assert.Null(metadata.Get("other"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("with space")]
    [InlineData("colon:")]
    [InlineData("ümlaut")]
    public void Add_invalid_key_throws(string key) => Assert.Throws<ArgumentException>(() => new Metadata { { key, "value" } });

    [Fact]
    public void Add_key_and_kind_of_value_must_agree()
    {
        Assert.Throws<ArgumentException>(() => new Metadata { { "key-bin", "text" } });
        Assert.Throws<ArgumentException>(() => new Metadata { { "key", Bytes } });
    }

    [Fact]
    public void Empty_is_read_only() => Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("key", "value"));
}
