using AspireStreaming.V1;
using Google.Protobuf;
using Grpc.Core;

namespace AspireStreaming.StreamApi.Rpc;

/// <summary>
/// The service <c>Streams</c>, as the generated base class would be, but for what its streams carry: frames whose events were
/// encoded once for all subscribers, where the generated code would encode each event again for each of them.
/// </summary>
[BindServiceMethod(typeof(StreamsService), nameof(BindService))]
internal abstract class StreamsService
{
    private static readonly Marshaller<MessageFrame> FrameMarshaller =
        new(static (frame, context) => frame.WriteTo(context), static _ => throw new NotSupportedException("Frames are written only."));

    /// <summary>What is no message at all becomes an empty one, which the session answers with an error like any it does not understand.</summary>
    private static readonly Marshaller<ClientMessage> ClientMessages = new(
        static (_, _) => throw new NotSupportedException("Messages of the client are read only."),
        static context =>
        {
            try
            {
                return ClientMessage.Parser.ParseFrom(context.PayloadAsReadOnlySequence());
            }
            catch (InvalidProtocolBufferException)
            {
                return new ClientMessage();
            }
        });

    private static readonly Method<SubscribeRequest, MessageFrame> SubscribeMethod =
        Define(MethodType.ServerStreaming, nameof(Subscribe), MarshallerOf(SubscribeRequest.Parser), FrameMarshaller);

    private static readonly Method<ClientMessage, MessageFrame> SessionMethod =
        Define(MethodType.DuplexStreaming, nameof(Session), ClientMessages, FrameMarshaller);

    private static readonly Method<ReadRequest, ReadResponse> ReadMethod =
        Define(MethodType.Unary, nameof(Read), MarshallerOf(ReadRequest.Parser), MarshallerOf(ReadResponse.Parser));

    private static readonly Method<StatsRequest, StatsResponse> StatsMethod =
        Define(MethodType.Unary, nameof(Stats), MarshallerOf(StatsRequest.Parser), MarshallerOf(StatsResponse.Parser));

    /// <summary>Tells the server what there is; it finds this method by the attribute.</summary>
    public static void BindService(ServiceBinderBase binder, StreamsService? service)
    {
        binder.AddMethod(SubscribeMethod, service is null ? null : new ServerStreamingServerMethod<SubscribeRequest, MessageFrame>(service.Subscribe));
        binder.AddMethod(SessionMethod, service is null ? null : new DuplexStreamingServerMethod<ClientMessage, MessageFrame>(service.Session));
        binder.AddMethod(ReadMethod, service is null ? null : new UnaryServerMethod<ReadRequest, ReadResponse>(service.Read));
        binder.AddMethod(StatsMethod, service is null ? null : new UnaryServerMethod<StatsRequest, StatsResponse>(service.Stats));
    }

    public abstract Task Subscribe(SubscribeRequest request, IServerStreamWriter<MessageFrame> responseStream, ServerCallContext context);

    public abstract Task Session(
        IAsyncStreamReader<ClientMessage> requestStream, IServerStreamWriter<MessageFrame> responseStream, ServerCallContext context);

    public abstract Task<ReadResponse> Read(ReadRequest request, ServerCallContext context);

    public abstract Task<StatsResponse> Stats(StatsRequest request, ServerCallContext context);

    private static Method<TRequest, TResponse> Define<TRequest, TResponse>(
        MethodType type, string name, Marshaller<TRequest> request, Marshaller<TResponse> response)
        where TRequest : class
        where TResponse : class => new(type, Streams.Descriptor.FullName, name, request, response);

    private static Marshaller<T> MarshallerOf<T>(MessageParser<T> parser)
        where T : class, IMessage<T> => new(
        static (message, context) =>
        {
            context.SetPayloadLength(message.CalculateSize());
            message.WriteTo(context.GetBufferWriter());
            context.Complete();
        },
        context => parser.ParseFrom(context.PayloadAsReadOnlySequence()));
}
