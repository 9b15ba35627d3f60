// Emoji shortcodes. Those that carry a status on cards are drawn, so that they look the same without an emoji font.
import { h } from "./dom.js";

const DRAWN = {
  white_check_mark: ["ok", "✓"],
  heavy_check_mark: ["ok", "✓"],
  ballot_box_with_check: ["ok", "✓"],
  x: ["bad", "✕"],
  heavy_multiplication_x: ["bad", "✕"],
  negative_squared_cross_mark: ["bad", "✕"],
  no_entry: ["bad", "–"],
  no_entry_sign: ["bad", "⃠"],
  exclamation: ["bad", "!"],
  heavy_exclamation_mark: ["bad", "!"],
  bangbang: ["bad", "!!"],
  question: ["info", "?"],
  grey_question: ["plain", "?"],
  information_source: ["info", "i"],
  warning: ["warn", "!"],
  red_circle: ["dot bad", ""],
  large_red_circle: ["dot bad", ""],
  large_orange_circle: ["dot warn", ""],
  large_yellow_circle: ["dot amber", ""],
  large_green_circle: ["dot ok", ""],
  green_circle: ["dot ok", ""],
  large_blue_circle: ["dot info", ""],
  blue_circle: ["dot info", ""],
  large_purple_circle: ["dot purple", ""],
  white_circle: ["dot plain", ""],
  black_circle: ["dot ink", ""],
};

// "name name=character" pairs, kept as one text because a table of this size is easier to read so.
const TABLE = `
+1=👍 thumbsup=👍 -1=👎 thumbsdown=👎 100=💯 adhesive_bandage=🩹 airplane=✈️ alarm_clock=⏰ alembic=⚗️ ambulance=🚑 anchor=⚓ angry=😠
ant=🐜 arrow_backward=◀️ arrow_double_down=⏬ arrow_double_up=⏫ arrow_down=⬇️ arrow_down_small=🔽 arrow_forward=▶️ arrow_heading_down=⤵️
arrow_heading_up=⤴️ arrow_left=⬅️ arrow_lower_right=↘️ arrow_right=➡️ arrow_right_hook=↪️ arrow_up=⬆️ arrow_up_small=🔼
arrow_upper_right=↗️ arrows_clockwise=🔃 arrows_counterclockwise=🔄 art=🎨 baby_chick=🐤 balloon=🎈 bar_chart=📊 battery=🔋 bear=🐻 bee=🐝
beer=🍺 beers=🍻 beetle=🐞 bell=🔔 bellhop_bell=🛎️ birthday=🎂 black_square=⬛ blue_book=📘 blue_heart=💙 blush=😊 boat=⛵ bomb=💣 book=📖
bookmark=🔖 bookmark_tabs=📑 books=📚 boom=💥 bow=🙇 brain=🧠 bread=🍞 bricks=🧱 briefcase=💼 broken_heart=💔 broom=🧹 bug=🐛 building_construction=🏗️
bulb=💡 busts_in_silhouette=👥 bust_in_silhouette=👤 cactus=🌵 cake=🍰 calendar=📅 call_me_hand=🤙 camera=📷 candle=🕯️ card_file_box=🗃️
card_index=📇 card_index_dividers=🗂️ cat=🐱 chains=⛓️ champagne=🍾 chart=💹 chart_with_downwards_trend=📉 chart_with_upwards_trend=📈
checkered_flag=🏁 cherry_blossom=🌸 clap=👏 classical_building=🏛️ clinking_glasses=🥂 clipboard=📋 clock1=🕐 clock12=🕛 clock3=🕒 clock6=🕕
clock9=🕘 closed_lock_with_key=🔐 cloud=☁️ clown_face=🤡 coffee=☕ coin=🪙 collision=💥 compass=🧭 computer=💻 confetti_ball=🎊 confused=😕
construction=🚧 construction_worker=👷 control_knobs=🎛️ cookie=🍪 cool=🆒 cop=👮 crab=🦀 credit_card=💳 crossed_fingers=🤞 crossed_swords=⚔️
crown=👑 cry=😢 crystal_ball=🔮 cyclone=🌀 dancer=💃 dart=🎯 dash=💨 date=📅 desktop_computer=🖥️ detective=🕵️ dizzy=💫 dna=🧬 dog=🐶
dollar=💵 dolphin=🐬 door=🚪 doughnut=🍩 droplet=💧 duck=🦆 ear=👂 earth_africa=🌍 eight=8️⃣ electric_plug=🔌 elephant=🐘 email=📧 envelope=✉️
envelope_with_arrow=📩 eyes=👀 face_palm=🤦 facepalm=🤦 factory=🏭 fast_forward=⏩ file_cabinet=🗄️ file_folder=📁 fire=🔥 fire_engine=🚒
fire_extinguisher=🧯 first_place_medal=🥇 fish=🐟 five=5️⃣ flashlight=🔦 floppy_disk=💾 flushed=😳 fog=🌫️ four=4️⃣ fox_face=🦊 frog=🐸
gear=⚙️ gem=💎 ghost=👻 gift=🎁 globe_with_meridians=🌐 green_apple=🍏 green_book=📗 green_heart=💚 grin=😁 grinning=😀 guard=💂 hammer=🔨
hammer_and_pick=⚒️ hammer_and_wrench=🛠️ hand=✋ handshake=🤝 hatching_chick=🐣 hear_no_evil=🙉 heart=❤️ heart_eyes=😍 heavy_minus_sign=➖
heavy_plus_sign=➕ herb=🌿 high_brightness=🔆 hole=🕳️ honeybee=🐝 hospital=🏥 hourglass=⌛ hourglass_flowing_sand=⏳ house=🏠 hugging_face=🤗
ice_cube=🧊 inbox_tray=📥 incoming_envelope=📨 innocent=😇 jigsaw=🧩 joy=😂 key=🔑 keyboard=⌨️ label=🏷️ ladder=🪜 large_blue_diamond=🔷
large_blue_square=🟦 large_green_square=🟩 large_orange_diamond=🔶 large_red_square=🟥 large_yellow_square=🟨 laughing=😆 leaves=🍃
left_right_arrow=↔️ lemon=🍋 level_slider=🎚️ link=🔗 linked_paperclips=🖇️ lion_face=🦁 lock=🔒 lock_with_ink_pen=🔏 loop=➿ loud_sound=🔊
loudspeaker=📢 low_brightness=🔅 luggage=🧳 mag=🔍 mag_right=🔎 magic_wand=🪄 magnet=🧲 mailbox=📫 mantelpiece_clock=🕰️ map=🗺️ mask=😷 mechanic=🧑‍🔧 mega=📣
memo=📝 metal=🤘 microscope=🔬 money_with_wings=💸 moneybag=💰 monkey=🐒 moon=🌔 mortar_board=🎓 muscle=💪 mute=🔇 nail_care=💅 nazar_amulet=🧿
nerd_face=🤓 neutral_face=😐 new=🆕 newspaper=📰 night_with_stars=🌃 nine=9️⃣ no_bell=🔕 notebook=📓 nut_and_bolt=🔩 ocean=🌊 octagonal_sign=🛑
octopus=🐙 office=🏢 ok=🆗 ok_hand=👌 one=1️⃣ open_file_folder=📂 open_hands=👐 open_mouth=😮 orange_book=📙 orange_heart=🧡 outbox_tray=📤 owl=🦉
package=📦 page_facing_up=📄 page_with_curl=📃 pager=📟 palm_tree=🌴 panda_face=🐼 paperclip=📎 parachute=🪂 partying_face=🥳 passport_control=🛂
pause_button=⏸️ peach=🍑 pencil=📝 pencil2=✏️ penguin=🐧 pensive=😔 performing_arts=🎭 petri_dish=🧫 phone=☎️ pick=⛏️ pill=💊 pinched_fingers=🤌
pizza=🍕 play_or_pause_button=⏯️ pleading_face=🥺 point_down=👇 point_left=👈 point_right=👉 point_up=☝️ police_car=🚓 pray=🙏 printer=🖨️
purple_heart=💜 pushpin=📌 rabbit=🐰 racing_car=🏎️ radio_button=🔘 rainbow=🌈 raised_hand=✋ raised_hands=🙌 raising_hand=🙋 recycle=♻️
red_car=🚗 relieved=😌 repeat=🔁 rescue_worker_helmet=⛑️ rewind=⏪ ribbon=🎀 ring=💍 robot_face=🤖 rocket=🚀 rolling_on_the_floor_laughing=🤣
rose=🌹 rotating_light=🚨 round_pushpin=📍 running=🏃 runner=🏃 sad=😞 safety_pin=🧷 salute=🫡 saluting_face=🫡 sandwich=🥪 satellite=🛰️
satellite_antenna=📡 scales=⚖️ scissors=✂️ scream=😱 screwdriver=🪛 scroll=📜 seedling=🌱 see_no_evil=🙈 seven=7️⃣ shield=🛡️ ship=🚢 shrug=🤷
six=6️⃣ skull=💀 sleeping=😴 sleepy=😪 slightly_smiling_face=🙂 small_blue_diamond=🔹 small_orange_diamond=🔸 small_red_triangle=🔺
small_red_triangle_down=🔻 smile=😄 smiley=😃 smirk=😏 smile_cat=😸 snail=🐌 snake=🐍 snowflake=❄️ snowman=⛄ sob=😭 soon=🔜 sos=🆘 sparkle=❇️ sparkles=✨
sparkling_heart=💖 speak_no_evil=🙊 speaker=🔈 speech_balloon=💬 speedboat=🚤 star=⭐ star2=🌟 stars=🌠 stop_button=⏹️ stop_sign=🛑 stopwatch=⏱️
straight_ruler=📏 sunglasses=😎 sun_with_face=🌞 sunflower=🌻 sunny=☀️ sunrise=🌅 sweat=😓 sweat_drops=💦 sweat_smile=😅 syringe=💉
tada=🎉 taxi=🚕 tea=🍵 telephone=☎️ telephone_receiver=📞 telescope=🔭 ten=🔟 test_tube=🧪 thermometer=🌡️ thinking=🤔 thinking_face=🤔
thought_balloon=💭 thread=🧵 three=3️⃣ ticket=🎫 tiger=🐯 timer_clock=⏲️ tired_face=😫 toolbox=🧰 tools=🛠️ top=🔝 tornado=🌪️ tractor=🚜 traffic_light=🚥
train=🚆 triangular_flag_on_post=🚩 triangular_ruler=📐 trophy=🏆 truck=🚚 turtle=🐢 tv=📺 two=2️⃣ umbrella=☔ unamused=😒 unicorn_face=🦄 unlock=🔓
up=🆙 upside_down_face=🙃 v=✌️ vertical_traffic_light=🚦 volcano=🌋 warning_sign=⚠️ wastebasket=🗑️ watch=⌚ watermelon=🍉 wave=👋 wavy_dash=〰️ weary=😩
whale=🐳 white_flower=💮 white_heart=🤍 white_square=⬜ wilted_flower=🥀 wind_chime=🎐 wink=😉 wolf=🐺 wrench=🔧 writing_hand=✍️ yawning_face=🥱
yellow_heart=💛 yum=😋 zany_face=🤪 zap=⚡ zero=0️⃣ zipper_mouth_face=🤐 zzz=💤`;

const EMOJI = new Map(TABLE.trim().split(/\s+/).map((pair) => {
  const at = pair.indexOf("=", 1);
  return [pair.slice(0, at), pair.slice(at + 1)];
}));

/** The element for a shortcode without its colons, or null when there is no such emoji. */
export function emoji(name) {
  const plain = name.replace(/::skin-tone-\d$/, "");
  if (DRAWN[plain]) {
    const [look, sign] = DRAWN[plain];
    return h("span", { class: `emoji drawn ${look}`, role: "img", "aria-label": plain.replaceAll("_", " "), title: `:${plain}:` }, sign);
  }
  const sign = EMOJI.get(plain);
  return sign ? h("span", { class: "emoji", role: "img", "aria-label": plain.replaceAll("_", " "), title: `:${plain}:` }, sign) : null;
}

/** Plain text whose shortcodes become emoji, as in headers and buttons. */
export function withEmoji(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(/:([a-z0-9_+-]+):/g)) {
    const found = emoji(match[1]);
    if (!found) continue;
    parts.push(text.slice(end, match.index), found);
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts.filter((one) => one !== "");
}
