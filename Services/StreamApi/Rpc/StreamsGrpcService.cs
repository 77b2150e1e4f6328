using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.StreamApi.Fleet;
using AspireStreaming.StreamApi.Pages;
using AspireStreaming.StreamApi.Sessions;
using AspireStreaming.StreamApi.Statistics;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using AspireStreaming.V1;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>The gRPC form of the Stream API.</summary>
internal sealed class StreamsGrpcService(
    Subscriber subscriber,
    Admission admission,
    SubscriptionServices services,
    PageReader pages,
    SessionRunner sessions,
    SessionServices sessionServices,
    FleetChannel fleet) : StreamsService
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;
    private const int MaxWaitSeconds = 60;

    /// <summary>gRPC clients refuse messages of more than 4 MiB unless told otherwise; the last event of a page may have 1 MiB.</summary>
    private const int MaxPageBytes = 2 << 20;

    public override async Task Subscribe(SubscribeRequest request, IServerStreamWriter<MessageFrame> responseStream, ServerCallContext context)
    {
        var subscription = Read(request);
        var http = context.GetHttpContext();
        Authorize(http, subscription.Stream);

        ThrowIfRefused(subscriber.TryEnter(http, [subscription], context.CancellationToken, out var subscribed));
        using var leaving = subscribed;
        await subscriber.StartsKnownAsync(subscribed!).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // The head at once: a stream may be silent for long, and the client wants to know that it is being served.
        var head = context.WriteResponseHeadersAsync(ResponseCompression.Head(http));
        await new GrpcSubscription(http, subscribed!.Followers, services, responseStream).RunAsync();
        await head.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override async Task Session(
        IAsyncStreamReader<ClientMessage> requestStream, IServerStreamWriter<MessageFrame> responseStream, ServerCallContext context)
    {
        GrpcSession? session = null;
        var refusal = await sessions.RunAsync(context.GetHttpContext(), async () =>
        {
            // The head at once, as above.
            var http = context.GetHttpContext();
            await context.WriteResponseHeadersAsync(ResponseCompression.Head(http));
            return session = new GrpcSession(http, requestStream, responseStream, sessionServices);
        });
        ThrowIfRefused(refusal);

        // A message that is too long or cannot be expanded: the rest of the requests cannot be found any more.
        if (session?.InputFailure is RpcException { StatusCode: not StatusCode.Cancelled } failure)
        {
            throw new RpcException(failure.Status);
        }
    }

    public override async Task<ReadResponse> Read(ReadRequest request, ServerCallContext context)
    {
        var page = Read(request);
        Authorize(context.GetHttpContext(), page.Stream);
        Admission.Place? place = null;
        if (page.Wait > TimeSpan.Zero)
        {
            ThrowIfRefused(admission.TryWait(context.GetHttpContext(), out place));
        }

        using var leaving = place;
        try
        {
            var read = await pages.ReadAsync(page, context.CancellationToken);
            var response = new ReadResponse { Stream = read.Stream, Next = read.Next.ToString(), CaughtUp = read.CaughtUp };
            response.Events.AddRange(read.Events.Select(GrpcEvents.ToEvent));
            if (read.Gap is { } gap)
            {
                response.Gap = new V1.Gap { From = gap.From.ToString(), To = gap.To.ToString(), Reason = gap.Reason };
                if (gap.Missed is { } missed)
                {
                    response.Gap.Missed = missed;
                }
            }

            response.Passed.AddRange(read.Passed.Select(static item => new V1.Passage { From = item.From.ToString(), To = item.To.ToString() }));
            if (read.End is { } end)
            {
                response.End = new End { Type = end.Type, Position = end.Position.ToString() };
            }

            if (ResponseCompression.IsWanted(context.GetHttpContext()))
            {
                await context.WriteResponseHeadersAsync(ResponseCompression.Head(context.GetHttpContext()));
            }

            return response;
        }
        catch (ArchiveUnavailableException)
        {
            throw GrpcProblems.Unavailable("archive-unavailable", "The archive cannot be reached.", 2);
        }
        catch (Exception exception) when (exception is not OperationCanceledException && RedisFaults.Classify(exception) != FaultKind.Permanent)
        {
            throw GrpcProblems.Unavailable("redis-unavailable", "The hot log cannot be reached.", 2);
        }
    }

    public override async Task<StatsResponse> Stats(StatsRequest request, ServerCallContext context)
    {
        if (!context.GetHttpContext().GetStreamAccess().IsAdmin)
        {
            throw GrpcProblems.Forbidden(null, "admin");
        }

        return FleetScope.TryParse(request.Scope.Length == 0 ? null : request.Scope, out var isLocal)
            ? GrpcStats.ToResponse(StatsEndpoint.Merge(await fleet.AskAsync(FleetQuestion.Stats, isLocal, context.CancellationToken)))
            : throw GrpcProblems.InvalidParameter("scope", "It is 'local' or 'all'.");
    }

    private static void Authorize(HttpContext context, string stream)
    {
        if (!context.GetStreamAccess().CanSubscribe(stream))
        {
            throw GrpcProblems.Forbidden(stream, "subscribe");
        }
    }

    private static void ThrowIfRefused(Refusal? refusal)
    {
        if (refusal is not null)
        {
            throw GrpcProblems.Refused(refusal);
        }
    }

    private static SubscriptionRequest Read(SubscribeRequest request)
    {
        if (!SubscriptionRequest.TryParsePolicy(request.Policy, out var policy))
        {
            throw GrpcProblems.InvalidParameter("policy", "It is 'catch-up', 'drop' or 'disconnect'.");
        }

        if (request.Lag is < 0 or > SubscriptionRequest.MaxLag)
        {
            throw GrpcProblems.InvalidParameter(
                "lag", $"It is a number from 1 to {SubscriptionRequest.MaxLag}, or 0 for {SubscriptionRequest.DefaultLag}.");
        }

        var lag = request.Lag == 0 ? SubscriptionRequest.DefaultLag : request.Lag;
        return new SubscriptionRequest(Name(request.Stream), From(request.From), Types(request.Types_), policy, lag);
    }

    private static PageRequest Read(ReadRequest request)
    {
        if (request.Limit is < 0 or > MaxLimit)
        {
            throw GrpcProblems.InvalidParameter("limit", $"It is a number from 1 to {MaxLimit}, or 0 for {DefaultLimit}.");
        }

        if (request.WaitSeconds is < 0 or > MaxWaitSeconds)
        {
            throw GrpcProblems.InvalidParameter("wait_seconds", $"It is a number from 0 to {MaxWaitSeconds}.");
        }

        if (request.Order is not ("" or "asc" or "desc"))
        {
            throw GrpcProblems.InvalidParameter("order", "It is 'asc' or 'desc'.");
        }

        var descending = request.Order == "desc";
        var from = descending && request.From.Length == 0 ? new StartFrom(StartKind.Now) : From(request.From);
        return new PageRequest(
            Name(request.Stream),
            from,
            descending,
            request.Limit == 0 ? DefaultLimit : request.Limit,
            TimeSpan.FromSeconds(request.WaitSeconds),
            Types(request.Types_),
            TierSet.All)
        {
            MaxBytes = MaxPageBytes,
        };
    }

    private static string Name(string stream) =>
        StreamName.IsValid(stream) ? stream : throw GrpcProblems.InvalidParameter("stream", StreamName.Rule + ".");

    private static StartFrom From(string text)
    {
        var from = default(StartFrom);
        return text.Length == 0 || StartFrom.TryParse(text, out from)
            ? from
            : throw GrpcProblems.InvalidParameter("from", $"It is {StartFrom.Rule}.");
    }

    private static TypeFilter? Types(RepeatedField<string> types)
    {
        if (types.Count == 0)
        {
            return null;
        }

        return TypeFilter.TryCreate(types, out var filter)
            ? filter
            : throw GrpcProblems.InvalidParameter("types", $"There are 1 to {TypeFilter.MaxTypes} of them.");
    }
}
