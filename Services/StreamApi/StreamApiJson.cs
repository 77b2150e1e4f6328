using System.Text.Json.Serialization;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Listing;

namespace AspireStreaming.StreamApi;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StreamInfo))]
[JsonSerializable(typeof(StreamList))]
[JsonSerializable(typeof(ConnectionList))]
[JsonSerializable(typeof(StatsDocument))]
internal sealed partial class StreamApiJson : JsonSerializerContext;
