using System.Text.Json.Serialization;

namespace AspireStreaming.StreamApi.Fleet;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(Replica))]
[JsonSerializable(typeof(FleetCall))]
[JsonSerializable(typeof(FleetAnswer))]
internal sealed partial class FleetJson : JsonSerializerContext;
