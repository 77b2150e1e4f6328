using System.Text.Json.Nodes;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.StreamApi.Tests.Tiers;
using AspireStreaming.TestSupport;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Tests.Sessions;

/// <summary>@grpc/grpc-js and ws: clients that share no code with ours.</summary>
public sealed class SessionInteropTests(ArchiveWorld world)
{
    private readonly string _numbers = TestLog.NewStream();
    private readonly string _large = TestLog.NewStream();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Grpc_js_reads_subscribes_and_holds_sessions()
    {
        Assert.SkipWhen(NodeClient.UnavailableReason is not null, NodeClient.UnavailableReason ?? "");
        await FillAsync();
        var proto = Path.Combine(RepositoryPaths.Root, "Services", "Streaming", "Protos", "streaming.proto");

        var result = await NodeClient.RunAsync(
            "Sessions/Interop/grpc_session.cjs", [world.Host.Grpc.Authority, proto, _numbers, _large], Cancel);

        Assert.True(result.ExitCode == 0, result.StandardError);
        var seen = JsonNode.Parse(result.StandardOutput)!;
        Equal("""{"data":["1","2","3"],"caughtUp":false}""", seen["unary"]);
        Equal(
            $$"""{"code":{{(int)StatusCode.InvalidArgument}},"type":"urn:aspirestreaming:problem:invalid-parameter"}""", seen["refused"]);
        Equal($$"""{"code":{{(int)StatusCode.DeadlineExceeded}}}""", seen["deadline"]);
        Equal("""{"count":500,"ordered":true}""", seen["resumed"]);
        foreach (var session in new[] { seen["session"]!, seen["compressedSession"]! })
        {
            Assert.Equal((500, true, 20), ((int)session["count"]!, (bool)session["ordered"]!, (int)session["window"]!));
            Assert.InRange((int)session["outstanding"]!, 10, 20);
            Equal("""["stream.caught-up"]""", session["controls"]);
            Equal("""{"sub":"n","status":409}""", session["error"]);
            Assert.Equal((int)StatusCode.OK, (int)session["code"]!);
        }

        Equal($$"""{"bytes":{{(1 << 20) - 1_000}}}""", seen["large"]);
    }

    [Fact]
    public async Task Ws_holds_sessions_and_resumes_after_a_cut()
    {
        Assert.SkipWhen(NodeClient.UnavailableReason is not null, NodeClient.UnavailableReason ?? "");
        await FillAsync();

        var result = await NodeClient.RunAsync(
            "Sessions/Interop/ws_session.cjs",
            [$"ws://{world.Host.Http.Authority}/ws", _numbers, _large, TestLog.NewStream()],
            Cancel);

        Assert.True(result.ExitCode == 0, result.StandardError);
        var seen = JsonNode.Parse(result.StandardOutput)!;
        Assert.Equal((500, true), ((int)seen["resumed"]!["count"]!, (bool)seen["resumed"]!["ordered"]!));
        Assert.InRange((int)seen["resumed"]!["outstanding"]!, 10, 20);
        Equal($$"""{"characters":{{(1 << 20) - 1_002}},"close":1000}""", seen["large"]);
        Equal(
            """{"types":["error","published","pong"],"binary":false,"error":{"status":400,"sub":null},"results":[["",200,2],["-b",200,2]]}""",
            seen["published"]);
    }

    private static void Equal(string expected, JsonNode? actual) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), actual), $"Expected {expected}, got {actual?.ToJsonString()}");

    private async Task FillAsync()
    {
        await world.Log.AppendNumbersAsync(_numbers, 1, 250);
        await world.Log.AppendNumbersAsync(_numbers, 251, 250);
        await world.Log.AppendAsync(_large, world.Log.Event(data: $"\"{new string('x', (1 << 20) - 1_002)}\""));
    }
}
