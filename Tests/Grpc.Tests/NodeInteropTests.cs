using System.Text.Json.Nodes;
using AspireStreaming.Grpc.Tests.Hosting;
using AspireStreaming.TestSupport;
using Grpc.Core;

namespace AspireStreaming.Grpc.Tests;

/// <summary>The same server under @grpc/grpc-js, a client that shares no code with ours.</summary>
public sealed class NodeInteropTests
{
    [Fact]
    public async Task Grpc_js_client_gets_what_the_net_client_gets()
    {
        Assert.SkipWhen(NodeClient.UnavailableReason is not null, NodeClient.UnavailableReason ?? "");
        var cancelled = TestContext.Current.CancellationToken;
        await using var server = await ProbeServer.StartAsync(options => options.ResponseCompressionAlgorithm = "gzip");

        var result = await NodeClient.RunAsync(
            "Interop/probe_client.cjs",
            [server.Address.Authority, Path.Combine(AppContext.BaseDirectory, "Protos", "probe.proto")],
            cancelled);

        Assert.True(result.ExitCode == 0, result.StandardError);
        var seen = JsonNode.Parse(result.StandardOutput)!;
        Equal("""{"text":"hello","bytes":100000,"last":7,"header":"head","trailer":[0,128,255]}""", seen["unary"]);
        Equal("""{"requestEncoding":"gzip","bytes":100000}""", seen["compressed"]);
        Equal(
            $$"""{"code":{{(int)StatusCode.FailedPrecondition}},"details":"100% ümlaut","reason":"asked for"}""", seen["failure"]);
        Equal(
            $$"""{"code":{{(int)StatusCode.Unknown}},"details":"Exception was thrown by handler.","reason":null}""", seen["exception"]);
        Equal("""{"count":500,"ordered":true}""", seen["serverStream"]);
        // How many messages came is not asserted: on a status other than OK this client drops those that it has not handed out yet.
        Assert.Equal((int)StatusCode.DataLoss, (int?)seen["cutStream"]?["code"]);
        Assert.Equal("after 3", (string?)seen["cutStream"]?["details"]);
        Equal("""{"text":"abc","number":3}""", seen["clientStream"]);
        Equal("""["ping 0","ping 1","ping 2","ping 3","ping 4"]""", seen["duplex"]);
        Assert.Equal((int)StatusCode.DeadlineExceeded, (int?)seen["deadline"]?["code"]);
        Assert.Equal((int)StatusCode.Cancelled, (int?)seen["cancelled"]?["code"]);
        var patience = TimeSpan.FromSeconds(15);
        await server.Calls.Cancelled("node-deadline").WaitAsync(patience, cancelled);
        await server.Calls.Cancelled("node-cancel").WaitAsync(patience, cancelled);
    }

    private static void Equal(string expected, JsonNode? actual) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), actual), $"Expected {expected}, got {actual?.ToJsonString()}");
}
