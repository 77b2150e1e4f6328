using System.Text.Json;
using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Health.V1;

namespace AspireStreaming.PublisherApi.Tests.Rpc;

public sealed class PublisherGrpcTests(Servers servers)
{
    private readonly PublisherHost _publisher = servers.Publisher;

    private Publisher.PublisherClient Client => new(_publisher.Grpc);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_appends_every_form_of_data()
    {
        var stream = PublisherHost.NewStream("grpc");
        var request = new PublishRequest { Stream = stream, Expected = "0-0" };
        request.Events.Add(new Event
        {
            Id = "1",
            Source = "/g",
            Type = "T",
            Subject = "s\"",
            Time = "2026-01-01T00:00:00Z",
            Data = ByteString.CopyFromUtf8("{ \"n\" : 1.0e5 }"),
            Attributes = { { "ext", "v" } },
        });
        request.Events.Add(new Event { Type = "T", Datacontenttype = "text/plain", Data = ByteString.CopyFromUtf8("é\n") });
        request.Events.Add(new Event { Type = "T", Datacontenttype = "image/png", Data = ByteString.CopyFrom(1, 2) });
        request.Events.Add(new Event { Type = "ERROR_OCCURRED", Attributes = { { "critical", "true" } } });

        var response = await Client.PublishAsync(request, cancellationToken: Cancel);

        Assert.Equal((4, 0, "log", ""), (response.Accepted, response.Duplicates, response.Durability, response.Idempotency));
        Assert.EndsWith("-1", response.First, StringComparison.Ordinal);
        Assert.EndsWith("-4", response.Last, StringComparison.Ordinal);
        var kept = await _publisher.ReadAsync(stream);
        Assert.Equal(
            """{"specversion":"1.0","id":"1","source":"/g","type":"T","subject":"s\"","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","ext":"v","data":{"n":1.0e5}}""",
            kept[0]);
        Assert.EndsWith(""","datacontenttype":"text/plain","data":"é\n"}""", kept[1], StringComparison.Ordinal);
        Assert.EndsWith(""","datacontenttype":"image/png","data_base64":"AQI="}""", kept[2], StringComparison.Ordinal);
        Assert.EndsWith(""","critical":"true"}""", kept[3], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_known_event_is_a_duplicate()
    {
        var request = new PublishRequest { Stream = PublisherHost.NewStream("grpc"), Events = { new Event { Id = "1", Type = "T" } } };

        var first = await Client.PublishAsync(request, cancellationToken: Cancel);
        var again = await Client.PublishAsync(request, cancellationToken: Cancel);

        Assert.Equal((0, 1, first.First), (again.Accepted, again.Duplicates, again.First));
    }

    [Fact]
    public async Task Publish_refusals_have_status_and_problem()
    {
        var stream = PublisherHost.NewStream("grpc");
        var plain = new Event { Type = "T" };

        await RefusedAsync(StatusCode.InvalidArgument, "invalid-parameter", new PublishRequest { Events = { plain } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-parameter", new PublishRequest { Stream = stream, Streams = { stream }, Events = { plain } });
        await RefusedAsync(
            StatusCode.InvalidArgument, "invalid-parameter", new PublishRequest { Streams = { stream, stream }, Events = { plain } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-stream", new PublishRequest { Stream = "a b", Events = { plain } });
        await RefusedAsync(
            StatusCode.InvalidArgument, "invalid-parameter", new PublishRequest { Stream = stream, Expected = "1", Events = { plain } });
        await RefusedAsync(
            StatusCode.InvalidArgument, "invalid-parameter", new PublishRequest { Stream = stream, Durability = "x", Events = { plain } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream, Events = { new Event() } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream, Events = { new Event { Type = "T", Position = "1-1" } } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream, Events = { new Event { Type = "T", Sequence = 1 } } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream, Events = { new Event { Type = "T", Attributes = { { "id", "x" } } } } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream, Events = { new Event { Type = "T", Data = ByteString.CopyFromUtf8("{") } } });
        await RefusedAsync(StatusCode.InvalidArgument, "invalid-event", new PublishRequest { Stream = stream, Events = { new Event { Type = "STREAM_END" }, plain } });
        await RefusedAsync(
            StatusCode.ResourceExhausted, "too-large", new PublishRequest { Stream = stream, Events = { Enumerable.Repeat(plain, 1001) } });
        await RefusedAsync(
            StatusCode.ResourceExhausted, "too-large", new PublishRequest
            {
                Stream = stream,
                Events = { new Event { Type = "T", Data = ByteString.CopyFromUtf8(
                $"\"{new string('x', 1 << 20)}\"") } }
            });

        await Client.PublishAsync(
            new PublishRequest { Stream = stream, Events = { new Event { Type = "STREAM_END" } } }, cancellationToken: Cancel);
        var problem = await RefusedAsync(
            StatusCode.FailedPrecondition, "stream-ended", new PublishRequest { Stream = stream, Events = { plain } });
        Assert.Equal("ended", problem.GetProperty("state").GetString());
        Assert.Single(await _publisher.ReadAsync(stream));
    }

    [Fact]
    public async Task Publish_at_another_position_than_expected_is_aborted_and_says_where_the_stream_is()
    {
        var stream = PublisherHost.NewStream("grpc");
        var plain = new Event { Type = "T" };
        var last = (await Client.PublishAsync(new PublishRequest { Stream = stream, Events = { plain } }, cancellationToken: Cancel)).Last;

        var fault = await Assert.ThrowsAsync<RpcException>(
            () => Client.PublishAsync(new PublishRequest { Stream = stream, Expected = "0-0", Events = { plain } }, cancellationToken: Cancel).ResponseAsync);

        Assert.Equal(StatusCode.Aborted, fault.StatusCode);
        Assert.Equal(last, fault.Trailers.GetValue("current-position"));
        Assert.Equal("urn:aspirestreaming:problem:position-mismatch", fault.Trailers.GetValue("problem-type"));
    }

    [Fact]
    public async Task Publish_to_several_streams_answers_for_each()
    {
        string[] streams = [PublisherHost.NewStream("grpc"), PublisherHost.NewStream("grpc"), PublisherHost.NewStream("grpc")];
        await Client.PublishAsync(
            new PublishRequest { Stream = streams[1], Events = { new Event { Type = "STREAM_END" } } }, cancellationToken: Cancel);

        var response = await Client.PublishAsync(new PublishRequest { Streams = { streams }, Events = { new Event { Type = "A" }, new Event { Type = "B" } } }, cancellationToken: Cancel);

        Assert.Equal(streams, response.Results.Select(result => result.Stream));
        Assert.Equal([200, 409, 200], response.Results.Select(result => result.Status));
        Assert.NotEmpty(response.Results[1].Title);
        Assert.Equal("urn:aspirestreaming:problem:stream-ended", response.Results[1].Type);
        Assert.NotEmpty(response.Results[1].Current);
        Assert.Equal([2, 0, 2], response.Results.Select(result => result.Accepted));
        Assert.Equal(4, response.Accepted);
        Assert.Equal(2, (await _publisher.ReadAsync(streams[0])).Length);
        Assert.Equal(2, (await _publisher.ReadAsync(streams[2])).Length);
    }

    [Fact]
    public async Task PublishStream_answers_in_order_while_requests_go_on()
    {
        const int Count = 500;
        var stream = PublisherHost.NewStream("grpc");
        using var call = Client.PublishStream(cancellationToken: Cancel);
        var sending = SendAsync();

        for (var index = 1; index <= Count; index++)
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancel));
            Assert.EndsWith($"-{index}", call.ResponseStream.Current.First, StringComparison.Ordinal);
        }

        await sending;
        Assert.False(await call.ResponseStream.MoveNext(Cancel));
        Assert.Equal(Count, (await _publisher.ReadAsync(stream)).Length);

        async Task SendAsync()
        {
            for (var index = 0; index < Count; index++)
            {
                await call.RequestStream.WriteAsync(new PublishRequest { Stream = stream, Events = { new Event { Type = "T" } } }, Cancel);
            }

            await call.RequestStream.CompleteAsync();
        }
    }

    [Fact]
    public async Task PublishStream_first_failure_ends_the_call()
    {
        var stream = PublisherHost.NewStream("grpc");
        using var call = Client.PublishStream(cancellationToken: Cancel);
        await call.RequestStream.WriteAsync(new PublishRequest { Stream = stream, Events = { new Event { Type = "T" } } }, Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));

        await call.RequestStream.WriteAsync(new PublishRequest { Stream = stream, Events = { new Event() } }, Cancel);

        var refused = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancel));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Single(await _publisher.ReadAsync(stream));
    }

    [Fact]
    public async Task Stop_ends_a_publish_stream_and_turns_health()
    {
        await using var publisher = await PublisherHost.StartAsync(servers.Redis, servers.Archive);
        using var call = new Publisher.PublisherClient(publisher.Grpc).PublishStream(cancellationToken: Cancel);
        using var watch = new Health.HealthClient(publisher.Grpc).Watch(new HealthCheckRequest(), cancellationToken: Cancel);
        await call.RequestStream.WriteAsync(
            new PublishRequest { Stream = PublisherHost.NewStream("grpc"), Events = { new Event { Type = "T" } } }, Cancel);
        Assert.True(await call.ResponseStream.MoveNext(Cancel));
        Assert.True(await watch.ResponseStream.MoveNext(Cancel));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, watch.ResponseStream.Current.Status);

        var stop = publisher.StopAsync();

        var ended = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancel));
        Assert.True(ended.StatusCode == StatusCode.Unavailable, ended.ToString());
        Assert.True(await watch.ResponseStream.MoveNext(Cancel));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        await stop;
    }

    [Fact]
    public async Task Health_knows_its_services()
    {
        var health = new Health.HealthClient(_publisher.Grpc);

        foreach (var service in (string[])["", "aspirestreaming.v1.Publisher"])
        {
            Assert.Equal(
                HealthCheckResponse.Types.ServingStatus.Serving,
                (await health.CheckAsync(new HealthCheckRequest { Service = service }, cancellationToken: Cancel)).Status);
        }

        Assert.Equal(2, (await health.ListAsync(new HealthListRequest(), cancellationToken: Cancel)).Statuses.Count);
        var unknown = await Assert.ThrowsAsync<RpcException>(
            async () => await health.CheckAsync(new HealthCheckRequest { Service = "x" }, cancellationToken: Cancel));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
    }

    private async Task<JsonElement> RefusedAsync(StatusCode status, string problem, PublishRequest request)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await Client.PublishAsync(request, cancellationToken: Cancel));
        Assert.Equal((status, "urn:aspirestreaming:problem:" + problem), (refused.StatusCode, refused.Trailers.GetValue("problem-type")));
        return JsonDocument.Parse(refused.Trailers.GetValueBytes("problem-bin")!).RootElement;
    }
}
